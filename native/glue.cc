#include "glue.hpp"

#include <cstring>
#include <utility>

namespace vitrine {

void throwFault(Napi::Env env, const Fault& fault) {
  const char* const name = ::strerrorname_np(fault.errorNumber);
  Napi::Error error =
      Napi::Error::New(env, std::string(fault.syscall) + ": " + ::strerrordesc_np(fault.errorNumber));
  error.Set("syscall", Napi::String::New(env, fault.syscall));
  error.Set("errno", Napi::String::New(env, name != nullptr ? name : "EUNKNOWN"));
  error.Set("path", Napi::String::New(env, fault.path));
  error.ThrowAsJavaScriptException();
}

Napi::Value InnerBuffer::get(Napi::Env env, std::byte* bytes, std::size_t byteLength) {
  if (reference_.IsEmpty()) {
    const Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, bytes, byteLength);
    if (buffer.IsEmpty()) return {};
    reference_ = Napi::Persistent(buffer);
  }
  return reference_.Value();
}

void InnerBuffer::detach() {
  if (reference_.IsEmpty()) return;
  const Napi::HandleScope scope(reference_.Env());
  reference_.Value().Detach();
  reference_.Reset();
}

Napi::Value makeOuterBuffer(Napi::Env env, std::byte* bytes, std::size_t byteLength, std::shared_ptr<void> owner) {
  using Owner = std::shared_ptr<void>;
  const auto shell = std::make_shared<Owner>(std::move(owner));
  auto* const held = new std::shared_ptr<Owner>(shell);
  const napi_finalize finalize = [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Owner>*>(hint); };
  napi_value buffer = nullptr;
  // Not through node-addon-api, whose wrapper would run the finalizer in any case: when the call fails Node has run it
  // (too long a buffer), will run it, or never does (a worker that is being terminated).
  const napi_status status = napi_create_external_arraybuffer(env, bytes, byteLength, finalize, held, &buffer);
  if (status == napi_ok) return Napi::Value(env, buffer);
  shell->reset();
  return {};
}

}  // namespace vitrine
