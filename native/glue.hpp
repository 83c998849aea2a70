// What the Node-API classes share: throwing faults, and ArrayBuffers over mappings.
#pragma once

#include <memory>
#include <string>

#include <napi.h>

#include "region.hpp"

namespace vitrine {

// Throws an Error with `syscall`, `errno` (the name: "EACCES") and `path`; src/synchronizer/native.ts makes a
// StoreError of it.
void throwFault(Napi::Env env, const Fault& fault);

// An ArrayBuffer over memory of ours, for code of ours: whoever ends the mapping detaches it first, in the same
// turn. (Its finalizer would run too late: Node runs finalizers on event-loop turns only, and a loop that never
// yields would gather mappings until the kernel refuses more.)
class InnerBuffer {
 public:
  ~InnerBuffer() { detach(); }
  Napi::Value get(Napi::Env env, std::byte* bytes, std::size_t byteLength);
  void detach();

 private:
  Napi::Reference<Napi::ArrayBuffer> reference_;
};

// An ArrayBuffer that may be given to users: `owner` is destroyed when no JavaScript can reach the bytes any more,
// not even through a buffer they were transferred to. Empty if Node refuses; the owner is destroyed then too.
Napi::Value makeOuterBuffer(Napi::Env env, std::byte* bytes, std::size_t byteLength, std::shared_ptr<void> owner);

}  // namespace vitrine
