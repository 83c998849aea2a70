#include "reader_handle.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vitrine {

namespace {

// Against a flat-out writer 99.99 % of adoptions took at most 14 tries, the worst 45 (shared design, handshake.md).
// The limit only ends a loop that a damaged state region would keep going.
constexpr unsigned kTryLimit = 100'000;

// What V8 is told that a pin weighs beside its bytes, so that it collects forgotten snapshots early: without it a
// process that adopts and forgets 4 KiB versions held up to 1,800 of them.
constexpr std::int64_t kPinWeightByteLength = 1 << 20;

// The fields of the results array; src/synchronizer/native.ts names them alike.
enum Result {
  kPublishNumber,
  kPublishedAtMs,
  kPayloadByteLength,
  kSequence,
  kCodecCount,
  kKeptCount,
  kIsMapped,
  kSlot,
};

bool isMissing(int errorNumber) { return errorNumber == ENOENT || errorNumber == ENOTDIR; }

}  // namespace

Napi::Function ReaderHandle::define(Napi::Env env) {
  return DefineClass(env, "ReaderHandle",
                     {
                         InstanceMethod<&ReaderHandle::attach>("attach"),
                         InstanceMethod<&ReaderHandle::sequence>("sequence"),
                         InstanceMethod<&ReaderHandle::isInPlace>("isInPlace"),
                         InstanceMethod<&ReaderHandle::adopt>("adopt"),
                         InstanceMethod<&ReaderHandle::codecId>("codecId"),
                         InstanceMethod<&ReaderHandle::isSound>("isSound"),
                         InstanceMethod<&ReaderHandle::copyOut>("copyOut"),
                         InstanceMethod<&ReaderHandle::letGo>("letGo"),
                         InstanceMethod<&ReaderHandle::hold>("hold"),
                         InstanceMethod<&ReaderHandle::buffer>("buffer"),
                         InstanceMethod<&ReaderHandle::handOut>("handOut"),
                         InstanceMethod<&ReaderHandle::release>("release"),
                         InstanceMethod<&ReaderHandle::close>("close"),
                     });
}

// new ReaderHandle(prefix: string, results: Float64Array)
ReaderHandle::ReaderHandle(const Napi::CallbackInfo& info)
    : ObjectWrap(info), prefix_(info[0].As<Napi::String>().Utf8Value()) {
  Napi::Float64Array results = info[1].As<Napi::Float64Array>();
  results_ = results.Data();
  resultsArray_ = Napi::Reference<Napi::Value>::New(results, 1);
}

ReaderHandle::~ReaderHandle() { letGoOfCandidate(); }

std::string ReaderHandle::regionPath(unsigned slot) const { return prefix_ + "_data_" + std::to_string(slot); }

// attach(): 'attached' | 'absent' | 'needsWrite' | the flaw
Napi::Value ReaderHandle::attach(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = prefix_ + "_state";
  std::shared_ptr<State> state;
  StateFlaw flaw = StateFlaw::none;
  std::uint32_t formatVersion = 0;
  std::optional<Fault> fault = State::open(path, false, state, flaw, formatVersion);
  if (!fault && state && state->reuse()) {
    // Counting ourselves in takes write permission. Opened anew rather than upgraded, and judged anew: the path
    // may lead to another store by now.
    state.reset();
    fault = State::open(path, true, state, flaw, formatVersion);
    if (fault && (fault->errorNumber == EACCES || fault->errorNumber == EPERM || fault->errorNumber == EROFS)) {
      return Napi::String::New(env, "needsWrite");
    }
  }
  if (fault) {
    if (isMissing(fault->errorNumber)) return Napi::String::New(env, "absent");
    throwFault(env, *fault);
    return {};
  }
  switch (flaw) {
    case StateFlaw::byteLength:
      return Napi::String::New(env, "byteLength");
    case StateFlaw::magic:
      return Napi::String::New(env, "magic");
    case StateFlaw::byteOrder:
      return Napi::String::New(env, "byteOrder");
    case StateFlaw::formatVersion:
      results_[kPublishNumber] = formatVersion;
      return Napi::String::New(env, "formatVersion");
    case StateFlaw::none:
      break;
  }
  letGoOfCandidate();
  for (auto& region : regions_) region.reset();
  state_ = std::move(state);
  return Napi::String::New(env, "attached");
}

// sequence(): ArrayBuffer of the state region's sequence word
Napi::Value ReaderHandle::sequence(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::byte* const word = state_->mapping()->bytes() + offsetof(StateRegion, sequence);
  const Napi::Value buffer = makeOuterBuffer(env, word, sizeof(std::uint64_t), state_->mapping());
  if (buffer.IsEmpty()) throwFault(env, Fault{ENOMEM, "napi_create_external_arraybuffer", prefix_ + "_state"});
  return buffer;
}

Napi::Value ReaderHandle::isInPlace(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), state_ && state_->isInPlace());
}

bool ReaderHandle::Regions::has(unsigned slot, std::uint64_t incarnation) const {
  const auto& region = reader.regions_[slot];
  return region && region->incarnation == incarnation;
}

void ReaderHandle::Regions::forget(unsigned slot) { reader.regions_[slot].reset(); }

void ReaderHandle::Regions::map(unsigned slot) {
  forget(slot);
  const std::string path = reader.regionPath(slot);
  auto region = std::make_shared<Region>();
  FileFacts facts;
  RegionHeader header;
  if (auto fault = openFile(path, false, region->file)) {
    reader.regionFault_ = std::move(fault);
    return;
  }
  if (auto fault = inspectFile(region->file.get(), path, facts)) {
    reader.regionFault_ = std::move(fault);
    return;
  }
  // The path may lead to a region that a destroyed store left behind, or to anything at all.
  if (facts.byteLength < kHeaderByteLength || facts.byteLength > kRegionByteLimit ||
      !readAt(region->file.get(), &header, sizeof header, 0) || header.magic != kRegionMagic ||
      header.storeId != reader.state_->storeId() || header.slot != slot) {
    return;
  }
  region->incarnation = header.incarnation;
  region->payloadCapacity = facts.byteLength - kHeaderByteLength;
  // Out of mappings or address space: the file serves.
  (void)mapFile(region->file.get(), facts.byteLength, Access::sharedRead, path, region->mapping);
  reader.regions_[slot] = std::move(region);
}

bool ReaderHandle::readHeader(const Region& region, RegionHeader& header) const {
  if (!region.mapping) return readAt(region.file.get(), &header, sizeof header, 0);
  std::memcpy(&header, region.mapping->bytes(), sizeof header);
  return true;
}

void ReaderHandle::letGoOfCandidate() {
  if (!candidate_) return;
  state_->handshake().unpin(header_.slot, candidate_->incarnation);
  candidate_.reset();
}

// adopt(): Adopt, as a number; fills the results
Napi::Value ReaderHandle::adopt(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  letGoOfCandidate();
  regionFault_.reset();
  Regions regions{*this};
  const Adoption adoption = state_->handshake().adopt(regions, kTryLimit);
  Adopt outcome = adoption.outcome;
  results_[kSequence] = static_cast<std::int32_t>(static_cast<std::uint32_t>(adoption.sequence));
  results_[kSlot] = adoption.version.slot();
  if (outcome == Adopt::adopted) {
    const unsigned slot = adoption.version.slot();
    const auto& region = regions_[slot];
    RegionHeader header;
    const bool sound = readHeader(*region, header) && header.magic == kRegionMagic &&
                       header.storeId == state_->storeId() && header.slot == slot &&
                       header.incarnation == adoption.incarnation &&
                       header.payloadByteLength <= region->payloadCapacity && adoption.version.agreesWith(header);
    if (!sound) {
      outcome = Adopt::regionInvalid;
    } else if (state_->region().bootId != currentBootId() &&
               !(region->mapping && (header.flags & kFlagPayloadHashed) != 0 &&
                 headerChecksum(header, region->mapping->bytes() + kHeaderByteLength) == header.checksum)) {
      // What the disk kept of version word and payload from before this boot need not belong together.
      outcome = Adopt::nothing;
    }
    if (outcome != Adopt::adopted) {
      state_->handshake().unpin(slot, adoption.incarnation);
    } else {
      candidate_ = region;
      if (std::memcmp(header.codecId, header_.codecId, sizeof header.codecId) != 0) ++results_[kCodecCount];
      header_ = header;
      results_[kPublishNumber] = static_cast<double>(header.publishNumber);
      results_[kPublishedAtMs] = static_cast<double>(header.publishedAtUs) / 1000;
      results_[kPayloadByteLength] = static_cast<double>(header.payloadByteLength);
      results_[kKeptCount] = *pinCount_;
      results_[kIsMapped] = region->mapping ? 1 : 0;
    }
  }
  if (outcome == Adopt::regionInvalid && regionFault_ && !isMissing(regionFault_->errorNumber)) {
    throwFault(env, *regionFault_);
    return {};
  }
  return Napi::Number::New(env, static_cast<int>(outcome));
}

// codecId(): string, of the version adopted last
Napi::Value ReaderHandle::codecId(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), header_.codecId, ::strnlen(header_.codecId, sizeof header_.codecId));
}

// isSound(copied?: ArrayBuffer): boolean. Do header and payload have the checksum that was published? Looks at what
// adopt() pinned, or at what copyOut() has copied of it.
Napi::Value ReaderHandle::isSound(const Napi::CallbackInfo& info) {
  const std::byte* const payload = info[0].IsArrayBuffer()
                                       ? static_cast<const std::byte*>(info[0].As<Napi::ArrayBuffer>().Data())
                                       : candidate_->mapping->bytes() + kHeaderByteLength;
  return Napi::Boolean::New(info.Env(), headerChecksum(header_, payload) == header_.checksum);
}

// copyOut(target: ArrayBuffer): boolean. Copies the payload and unpins.
Napi::Value ReaderHandle::copyOut(const Napi::CallbackInfo& info) {
  Napi::ArrayBuffer target = info[0].As<Napi::ArrayBuffer>();
  bool copied = candidate_ != nullptr && target.ByteLength() >= header_.payloadByteLength;
  if (copied && header_.payloadByteLength > 0) {
    const auto byteLength = static_cast<std::size_t>(header_.payloadByteLength);
    if (candidate_->mapping) {
      std::memcpy(target.Data(), candidate_->mapping->bytes() + kHeaderByteLength, byteLength);
    } else {
      copied = readAt(candidate_->file.get(), target.Data(), byteLength, kHeaderByteLength);
    }
  }
  letGoOfCandidate();
  return Napi::Boolean::New(info.Env(), copied);
}

Napi::Value ReaderHandle::letGo(const Napi::CallbackInfo& info) {
  letGoOfCandidate();
  return info.Env().Undefined();
}

// hold(): number. Keeps the adopted version pinned under this id.
Napi::Value ReaderHandle::hold(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  // Counted until the last owner has let go, which may be a window that is not collected yet.
  std::shared_ptr<Pin> pin(new Pin(state_, header_.slot, candidate_->incarnation),
                           [count = pinCount_](Pin* counted) {
                             delete counted;
                             --*count;
                           });
  ++*pinCount_;
  // Around after 32 bits, which is hours of adopting flat out; 0 means a copy to src/synchronizer/adoption.ts.
  do ++lastHeldId_;
  while (lastHeldId_ == 0 || held_.contains(lastHeldId_));
  held_[lastHeldId_] =
      Held{std::move(pin), std::exchange(candidate_, nullptr), header_.payloadByteLength, {}};
  Napi::MemoryManagement::AdjustExternalMemory(env, kPinWeightByteLength);
  return Napi::Number::New(env, lastHeldId_);
}

ReaderHandle::Held* ReaderHandle::find(const Napi::CallbackInfo& info) {
  const auto found = held_.find(info[0].As<Napi::Number>().Uint32Value());
  return found == held_.end() ? nullptr : &found->second;
}

// buffer(id): ArrayBuffer over the region, for codecs; detached when the region goes
Napi::Value ReaderHandle::buffer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Held* const held = find(info);
  if (held == nullptr) return env.Undefined();
  Region& region = *held->region;
  const auto byteLength = static_cast<std::size_t>(region.payloadCapacity);
  return region.buffer.get(env, region.mapping->bytes() + kHeaderByteLength, byteLength);
}

void ReaderHandle::HandedOut::end() {
  pin.reset();
  mapping.reset();
}

// handOut(id): ArrayBuffer of exactly the payload, which keeps its version pinned until it is collected; undefined
// where the kernel or Node refuses
Napi::Value ReaderHandle::handOut(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Held* const held = find(info);
  if (held == nullptr) return env.Undefined();
  // A mapping of its own: the user may write now, and what he writes must never be taken for bytes of another version,
  // nor reach a lazy view of this one. Made under the pin: where the kernel copies at once, it copies this version.
  std::shared_ptr<Mapping> mapping;
  const auto byteLength = static_cast<std::size_t>(held->payloadByteLength);
  if (mapFile(held->region->file.get(), kHeaderByteLength + byteLength, Access::privateWrite, "", mapping)) {
    return env.Undefined();
  }
  std::byte* const bytes = mapping->bytes() + kHeaderByteLength;
  auto owner = std::make_shared<HandedOut>(HandedOut{held->pin, std::move(mapping)});
  held->handedOut = owner;
  const Napi::Value buffer = makeOuterBuffer(env, bytes, byteLength, std::move(owner));
  return buffer.IsEmpty() ? env.Undefined() : buffer;
}

// release(id, handedOut?: ArrayBuffer). Lets go of what hold() keeps. A buffer that was handed out goes on keeping the
// version pinned, unless it is given here: then it is detached and the version unpinned at once.
Napi::Value ReaderHandle::release(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto found = held_.find(info[0].As<Napi::Number>().Uint32Value());
  if (found == held_.end()) return env.Undefined();
  if (info[1].IsArrayBuffer()) {
    Napi::ArrayBuffer buffer = info[1].As<Napi::ArrayBuffer>();
    const auto owner = found->second.handedOut.lock();
    // One that is detached already was transferred: its bytes live on in another buffer, which is nobody's promise.
    if (owner && !buffer.IsDetached()) {
      buffer.Detach();
      owner->end();  // unmapped in this turn; what remains for the finalizer is nothing
    }
  }
  held_.erase(found);
  Napi::MemoryManagement::AdjustExternalMemory(env, -kPinWeightByteLength);
  return env.Undefined();
}

// close(): what is held stays held
Napi::Value ReaderHandle::close(const Napi::CallbackInfo& info) {
  letGoOfCandidate();
  for (auto& region : regions_) region.reset();
  state_.reset();
  return info.Env().Undefined();
}

}  // namespace vitrine
