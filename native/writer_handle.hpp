// One writer's hold on a store: the lock, the state region, the regions its slots lead to and those that have no name
// yet. Knows no values and no policy: which slot to use when is decided in src/synchronizer.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include <napi.h>

#include "glue.hpp"
#include "lock.hpp"
#include "state.hpp"

namespace vitrine {

class WriterHandle : public Napi::ObjectWrap<WriterHandle> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit WriterHandle(const Napi::CallbackInfo& info);

 private:
  struct Region {
    ~Region();

    std::string path;
    Descriptor file;
    FileFacts facts{};
    std::shared_ptr<Mapping> mapping;
    std::uint64_t incarnation = 0;
    // Set while a user's array over this region's bytes may still be filled: the region must not be rewritten.
    std::weak_ptr<Mapping> loan;
    InnerBuffer buffer;  // detached before the mapping can go: members are destroyed in reverse order

    std::uint64_t payloadCapacity() const { return facts.byteLength - kHeaderByteLength; }
    RegionHeader& header() const;
  };

  Napi::Value lock(const Napi::CallbackInfo& info);
  Napi::Value holderPid(const Napi::CallbackInfo& info);
  Napi::Value createState(const Napi::CallbackInfo& info);
  Napi::Value openState(const Napi::CallbackInfo& info);
  Napi::Value takeOver(const Napi::CallbackInfo& info);
  Napi::Value version(const Napi::CallbackInfo& info);
  Napi::Value setMode(const Napi::CallbackInfo& info);
  Napi::Value configure(const Napi::CallbackInfo& info);
  Napi::Value capacity(const Napi::CallbackInfo& info);
  Napi::Value isFree(const Napi::CallbackInfo& info);
  Napi::Value claim(const Napi::CallbackInfo& info);
  Napi::Value createRegion(const Napi::CallbackInfo& info);
  Napi::Value growRegion(const Napi::CallbackInfo& info);
  Napi::Value discard(const Napi::CallbackInfo& info);
  Napi::Value buffer(const Napi::CallbackInfo& info);
  Napi::Value loan(const Napi::CallbackInfo& info);
  Napi::Value endLoan(const Napi::CallbackInfo& info);
  Napi::Value commit(const Napi::CallbackInfo& info);
  Napi::Value drop(const Napi::CallbackInfo& info);
  Napi::Value isLost(const Napi::CallbackInfo& info);
  Napi::Value isRegionLost(const Napi::CallbackInfo& info);
  Napi::Value heldByteLength(const Napi::CallbackInfo& info);
  Napi::Value availableByteLength(const Napi::CallbackInfo& info);
  Napi::Value bury(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::string regionPath(unsigned slot) const;
  Region* find(const Napi::Value& place);
  std::optional<Fault> openRegion(unsigned slot);
  std::optional<Fault> findIncarnation(unsigned slot, std::uint64_t& incarnation) const;
  std::optional<Fault> removeSuspects(int activeSlot);
  bool isActiveRegionSound(unsigned slot) const;
  void vacate(unsigned slot);

  std::string prefix_;
  WriterLock lock_;
  std::shared_ptr<State> state_;
  mode_t mode_ = 0;                  // of the files of regions to come
  std::uint64_t publishNumber_ = 0;  // the highest that may have been given away
  std::uint64_t activeNumber_ = 0;   // of the newest version
  std::uint32_t flags_ = kFlagPayloadHashed;
  std::array<char, kCodecIdByteLength> codecId_{};
  // A place is a slot (below kSlotLimit) or the id of a fresh region, which has no slot yet.
  std::array<std::unique_ptr<Region>, kSlotLimit> regions_;
  std::unordered_map<std::uint32_t, std::unique_ptr<Region>> fresh_;
  std::uint32_t lastFreshId_ = kSlotLimit;
};

}  // namespace vitrine
