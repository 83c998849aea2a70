// The addon: one module a JavaScript environment. Worker threads load it each for themselves; what is shared between
// them (the registry of pins) says so.
#include <napi.h>

#include <sys/vfs.h>

#include "glue.hpp"
#include "layout.hpp"
#include "reader_handle.hpp"
#include "writer_handle.hpp"

namespace vitrine {

namespace {

// fileSystemOf(path: string): number, statfs's magic
Napi::Value fileSystemOf(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  struct statfs status {};
  if (::statfs(path.c_str(), &status) != 0) {
    throwFault(info.Env(), lastFault("statfs", path));
    return {};
  }
  return Napi::Number::New(info.Env(), static_cast<double>(static_cast<std::uint32_t>(status.f_type)));
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  Napi::Object layout = Napi::Object::New(env);
  layout.Set("formatVersion", Napi::Number::New(env, kFormatVersion));
  layout.Set("slotLimit", Napi::Number::New(env, kSlotLimit));
  layout.Set("payloadByteLimit", Napi::Number::New(env, static_cast<double>(kPayloadByteLimit)));
  layout.Set("headerByteLength", Napi::Number::New(env, kHeaderByteLength));
  exports.Set("layout", layout);
  exports.Set("fileSystemOf", Napi::Function::New<fileSystemOf>(env, "fileSystemOf"));
  exports.Set("ReaderHandle", ReaderHandle::define(env));
  exports.Set("WriterHandle", WriterHandle::define(env));
  return exports;
}

}  // namespace

}  // namespace vitrine

static Napi::Object initializeAddon(Napi::Env env, Napi::Object exports) { return vitrine::initialize(env, exports); }

NODE_API_MODULE(vitrine, initializeAddon)
