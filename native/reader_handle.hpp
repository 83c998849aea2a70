// One reader's hold on a store: its mapping of the state region, its mapped regions, its pins. Knows no values and no
// policy: what to adopt when, what to copy and what to keep is decided in src/synchronizer.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include <napi.h>

#include "glue.hpp"
#include "pin.hpp"
#include "state.hpp"

namespace vitrine {

class ReaderHandle : public Napi::ObjectWrap<ReaderHandle> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit ReaderHandle(const Napi::CallbackInfo& info);
  ~ReaderHandle() override;

 private:
  // A region of one incarnation, mapped for reading; without a mapping where the kernel would not give another one,
  // then its bytes are read from the file. That stays open: a window that is handed out is another mapping of it.
  struct Region {
    std::uint64_t incarnation = 0;
    std::uint64_t payloadCapacity = 0;
    std::shared_ptr<Mapping> mapping;
    Descriptor file;
    InnerBuffer buffer;  // detached before the mapping can go: members are destroyed in reverse order
  };

  // What a buffer keeps that users may have: until it is collected, or detached because they promised to be done.
  struct HandedOut {
    std::shared_ptr<Pin> pin;
    std::shared_ptr<Mapping> mapping;

    void end();
  };

  struct Held {
    std::shared_ptr<Pin> pin;
    std::shared_ptr<Region> region;
    std::uint64_t payloadByteLength = 0;
    std::weak_ptr<HandedOut> handedOut;
  };

  // What Handshake::adopt() asks of a reader's regions.
  struct Regions {
    ReaderHandle& reader;
    bool has(unsigned slot, std::uint64_t incarnation) const;
    void map(unsigned slot);
    void forget(unsigned slot);
  };

  Napi::Value attach(const Napi::CallbackInfo& info);
  Napi::Value sequence(const Napi::CallbackInfo& info);
  Napi::Value isInPlace(const Napi::CallbackInfo& info);
  Napi::Value adopt(const Napi::CallbackInfo& info);
  Napi::Value codecId(const Napi::CallbackInfo& info);
  Napi::Value isSound(const Napi::CallbackInfo& info);
  Napi::Value copyOut(const Napi::CallbackInfo& info);
  Napi::Value letGo(const Napi::CallbackInfo& info);
  Napi::Value hold(const Napi::CallbackInfo& info);
  Napi::Value buffer(const Napi::CallbackInfo& info);
  Napi::Value handOut(const Napi::CallbackInfo& info);
  Napi::Value release(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::string regionPath(unsigned slot) const;
  bool readHeader(const Region& region, RegionHeader& header) const;
  void letGoOfCandidate();
  Held* find(const Napi::CallbackInfo& info);

  std::string prefix_;
  double* results_ = nullptr;  // the Float64Array given at construction, kept alive by the reference below
  Napi::Reference<Napi::Value> resultsArray_;
  std::shared_ptr<State> state_;
  std::array<std::shared_ptr<Region>, kSlotLimit> regions_;
  std::optional<Fault> regionFault_;
  // What adopt() pinned last, until copyOut(), hold() or letGo() says what becomes of it.
  std::shared_ptr<Region> candidate_;
  RegionHeader header_{};
  std::unordered_map<std::uint32_t, Held> held_;
  std::uint32_t lastHeldId_ = 0;
  std::shared_ptr<std::uint32_t> pinCount_ = std::make_shared<std::uint32_t>(0);
};

}  // namespace vitrine
