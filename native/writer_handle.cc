#include "writer_handle.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "wake.hpp"

namespace vitrine {

namespace {

std::uint64_t toBytes(const Napi::Value& value) {
  return static_cast<std::uint64_t>(value.As<Napi::Number>().Int64Value());
}

Napi::Value fromBytes(Napi::Env env, std::uint64_t byteLength) {
  return Napi::Number::New(env, static_cast<double>(byteLength));
}

}  // namespace

Napi::Function WriterHandle::define(Napi::Env env) {
  return DefineClass(env, "WriterHandle",
                     {
                         InstanceMethod<&WriterHandle::lock>("lock"),
                         InstanceMethod<&WriterHandle::holderPid>("holderPid"),
                         InstanceMethod<&WriterHandle::createState>("createState"),
                         InstanceMethod<&WriterHandle::openState>("openState"),
                         InstanceMethod<&WriterHandle::takeOver>("takeOver"),
                         InstanceMethod<&WriterHandle::version>("version"),
                         InstanceMethod<&WriterHandle::setMode>("setMode"),
                         InstanceMethod<&WriterHandle::configure>("configure"),
                         InstanceMethod<&WriterHandle::capacity>("capacity"),
                         InstanceMethod<&WriterHandle::isFree>("isFree"),
                         InstanceMethod<&WriterHandle::claim>("claim"),
                         InstanceMethod<&WriterHandle::createRegion>("createRegion"),
                         InstanceMethod<&WriterHandle::growRegion>("growRegion"),
                         InstanceMethod<&WriterHandle::discard>("discard"),
                         InstanceMethod<&WriterHandle::buffer>("buffer"),
                         InstanceMethod<&WriterHandle::loan>("loan"),
                         InstanceMethod<&WriterHandle::endLoan>("endLoan"),
                         InstanceMethod<&WriterHandle::commit>("commit"),
                         InstanceMethod<&WriterHandle::drop>("drop"),
                         InstanceMethod<&WriterHandle::isLost>("isLost"),
                         InstanceMethod<&WriterHandle::isRegionLost>("isRegionLost"),
                         InstanceMethod<&WriterHandle::heldByteLength>("heldByteLength"),
                         InstanceMethod<&WriterHandle::availableByteLength>("availableByteLength"),
                         InstanceMethod<&WriterHandle::bury>("bury"),
                         InstanceMethod<&WriterHandle::close>("close"),
                     });
}

// new WriterHandle(prefix: string)
WriterHandle::WriterHandle(const Napi::CallbackInfo& info)
    : ObjectWrap(info), prefix_(info[0].As<Napi::String>().Utf8Value()) {}

std::string WriterHandle::regionPath(unsigned slot) const { return prefix_ + "_data_" + std::to_string(slot); }

WriterHandle::Region::~Region() {
  const std::shared_ptr<Mapping> lent = loan.lock();
  if (!lent) return;
  // A loan that was neither committed nor aborted must not go on writing into a file that the next writer may reuse;
  // and that one, which does not know of it, must not rewrite what the user's array shows.
  if (lent == mapping) lent->makePrivate(file.get());
  FileFacts now;
  if (!inspectFile(file.get(), path, now) && now.linkCount > 0) lent->separate();
}

RegionHeader& WriterHandle::Region::header() const {
  // SAFETY: the mapping is page-aligned and longer than a header (createFile(), openRegion()), and RegionHeader is an
  // implicit-lifetime aggregate of integers for which every bit pattern is a value.
  return *reinterpret_cast<RegionHeader*>(mapping->bytes());
}

// lock(): boolean
Napi::Value WriterHandle::lock(const Napi::CallbackInfo& info) {
  bool held = false;
  if (auto fault = lock_.acquire(prefix_ + "_lock", held)) {
    throwFault(info.Env(), *fault);
    return {};
  }
  return Napi::Boolean::New(info.Env(), !held);
}

// holderPid(): number, 0 where the state region does not tell
Napi::Value WriterHandle::holderPid(const Napi::CallbackInfo& info) {
  std::shared_ptr<State> state;
  StateFlaw flaw = StateFlaw::none;
  std::uint32_t formatVersion = 0;
  const auto fault = State::open(prefix_ + "_state", false, state, flaw, formatVersion);
  return Napi::Number::New(info.Env(), !fault && state ? state->region().pid : 0);
}

// createState(mode: number, reuse: boolean)
Napi::Value WriterHandle::createState(const Napi::CallbackInfo& info) {
  const auto mode = static_cast<mode_t>(info[0].As<Napi::Number>().Uint32Value());
  const bool reuse = info[1].As<Napi::Boolean>().Value();
  const std::string path = prefix_ + "_state";
  const std::string temporaryPath = prefix_ + "_state_tmp_" + std::to_string(::getpid());
  ::unlink(temporaryPath.c_str());  // ours alone while we hold the lock
  if (auto fault = State::create(path, temporaryPath, mode, reuse)) {
    throwFault(info.Env(), *fault);
    return {};
  }
  return info.Env().Undefined();
}

// openState(): { outcome: 'opened' | 'absent' | flaw, formatVersion, reuse, owner, isDestroyed }
Napi::Value WriterHandle::openState(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  StateFlaw flaw = StateFlaw::none;
  std::uint32_t formatVersion = 0;
  const auto fault = State::open(prefix_ + "_state", true, state_, flaw, formatVersion);
  if (fault && fault->errorNumber != ENOENT) {
    throwFault(env, *fault);
    return {};
  }
  if (state_) mode_ = state_->facts().mode & 07777;
  static constexpr const char* kFlawNames[] = {"opened", "byteLength", "magic", "byteOrder", "formatVersion"};
  Napi::Object result = Napi::Object::New(env);
  result.Set("outcome", fault ? "absent" : kFlawNames[static_cast<int>(flaw)]);
  result.Set("formatVersion", Napi::Number::New(env, formatVersion));
  result.Set("reuse", Napi::Boolean::New(env, state_ && state_->reuse()));
  result.Set("owner", Napi::Number::New(env, state_ ? state_->facts().owner : 0));
  result.Set("isDestroyed", Napi::Boolean::New(env, state_ && state_->handshake().version().isTombstone()));
  return result;
}

// setMode(mode: number): of the state region, and of every region that has a name or will have one
Napi::Value WriterHandle::setMode(const Napi::CallbackInfo& info) {
  const auto mode = static_cast<mode_t>(info[0].As<Napi::Number>().Uint32Value());
  std::optional<Fault> fault;
  if (::fchmod(state_->descriptor(), mode) != 0) fault = lastFault("fchmod", prefix_ + "_state");
  for (const auto& region : regions_) {
    if (!fault && region && ::fchmod(region->file.get(), mode) != 0) fault = lastFault("fchmod", region->path);
  }
  if (fault) {
    throwFault(info.Env(), *fault);
    return {};
  }
  mode_ = mode;
  return info.Env().Undefined();
}

// configure(codecId: string, hashPayload: boolean)
Napi::Value WriterHandle::configure(const Napi::CallbackInfo& info) {
  const std::string codecId = info[0].As<Napi::String>().Utf8Value();
  codecId_.fill(0);
  std::memcpy(codecId_.data(), codecId.data(), std::min(codecId.size(), codecId_.size()));
  flags_ = info[1].As<Napi::Boolean>().Value() ? kFlagPayloadHashed : 0;
  return info.Env().Undefined();
}

std::optional<Fault> WriterHandle::openRegion(unsigned slot) {
  auto region = std::make_unique<Region>();
  region->path = regionPath(slot);
  if (auto fault = openFile(region->path, true, region->file)) {
    return fault->errorNumber == ENOENT ? std::nullopt : fault;
  }
  if (auto fault = inspectFile(region->file.get(), region->path, region->facts)) return fault;
  if (region->facts.byteLength <= kHeaderByteLength || region->facts.byteLength > kRegionByteLimit) return std::nullopt;
  if (auto fault = mapFile(region->file.get(), static_cast<std::size_t>(region->facts.byteLength), Access::sharedWrite,
                           region->path, region->mapping)) {
    return fault;
  }
  const RegionHeader& header = region->header();
  region->incarnation = header.incarnation;
  // Header and slot word must agree. They do not after a crash between rename and W2, nor where a destroyed store
  // left its file behind.
  if (header.magic == kRegionMagic && header.storeId == state_->storeId() && header.slot == slot &&
      header.incarnation == state_->handshake().slotWord(slot).incarnation()) {
    regions_[slot] = std::move(region);
  }
  return std::nullopt;
}

bool WriterHandle::isActiveRegionSound(unsigned slot) const {
  const auto& region = regions_[slot];
  if (!region) return false;
  const RegionHeader& header = region->header();
  return (header.flags & kFlagPayloadHashed) != 0 && header.payloadByteLength <= region->payloadCapacity() &&
         state_->handshake().version().agreesWith(header) &&
         headerChecksum(header, region->mapping->bytes() + kHeaderByteLength) == header.checksum;
}

// takeOver(): number, the active slot or -1. Becomes the writer of an opened state region.
Napi::Value WriterHandle::takeOver(const Napi::CallbackInfo& info) {
  auto handshake = state_->handshake();
  StateRegion& state = state_->region();
  const VersionWord version = handshake.version();
  for (unsigned slot = 0; slot < kSlotLimit; ++slot) {
    if (auto fault = openRegion(slot)) {
      throwFault(info.Env(), *fault);
      return {};
    }
  }
  publishNumber_ = state.publishNumber;
  for (const auto& region : regions_) {
    if (region) publishNumber_ = std::max(publishNumber_, region->header().publishNumber);
  }
  int activeSlot = -1;
  if (!version.isNothing()) {
    const unsigned slot = version.slot();
    // After another boot, what the disk kept of version word and payload need not belong together.
    const bool believed = slot < kSlotLimit && regions_[slot] &&
                          (state.bootId == currentBootId() || isActiveRegionSound(slot));
    if (believed) {
      activeSlot = static_cast<int>(slot);
      activeNumber_ = regions_[slot]->header().publishNumber;
    } else {
      handshake.announce(VersionWord::nothing());
    }
  }
  if (auto fault = removeSuspects(activeSlot)) {
    throwFault(info.Env(), *fault);
    return {};
  }
  state.bootId = currentBootId();
  state.epoch += 1;
  state.pid = static_cast<std::uint32_t>(::getpid());
  handshake.reannounce();
  wakeAll(state.sequence.value);
  return Napi::Number::New(info.Env(), activeSlot);
}

// version(): number, of the newest version, 0 before the first
Napi::Value WriterHandle::version(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(activeNumber_));
}

WriterHandle::Region* WriterHandle::find(const Napi::Value& place) {
  const std::uint32_t index = place.As<Napi::Number>().Uint32Value();
  if (index < kSlotLimit) return regions_[index].get();
  const auto found = fresh_.find(index);
  return found == fresh_.end() ? nullptr : found->second.get();
}

// capacity(place): number of payload bytes, -1 where there is no region
Napi::Value WriterHandle::capacity(const Napi::CallbackInfo& info) {
  const Region* const region = find(info[0]);
  if (region == nullptr) return Napi::Number::New(info.Env(), -1);
  return fromBytes(info.Env(), region->payloadCapacity());
}

// isFree(slot): boolean. May this inactive slot's region be rewritten?
Napi::Value WriterHandle::isFree(const Napi::CallbackInfo& info) {
  const unsigned slot = info[0].As<Napi::Number>().Uint32Value();
  const auto& region = regions_[slot];
  return Napi::Boolean::New(info.Env(), region && region->loan.expired() &&
                                            state_->handshake().mayRewrite(slot, region->incarnation));
}

// claim(slot): boolean. Takes this inactive slot's region for rewriting in place, if it is free.
Napi::Value WriterHandle::claim(const Napi::CallbackInfo& info) {
  const unsigned slot = info[0].As<Napi::Number>().Uint32Value();
  const auto& region = regions_[slot];
  if (!region || !region->loan.expired() || !state_->handshake().mayRewrite(slot, region->incarnation)) {
    return Napi::Boolean::New(info.Env(), false);
  }
  // Whoever finds this region after a crash sees that its payload was being written.
  std::atomic_ref(region->header().publishNumber).store(0, std::memory_order_release);
  return Napi::Boolean::New(info.Env(), true);
}

// createRegion(byteLength: number): number, the place of a region without a name. Nothing half-written ever has one.
Napi::Value WriterHandle::createRegion(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto region = std::make_unique<Region>();
  // Around after 32 bits, which is half a day of replacing flat out: an id below the slots would be taken for one.
  do lastFreshId_ = std::max(lastFreshId_ + 1, std::uint32_t{kSlotLimit});
  while (fresh_.contains(lastFreshId_));
  const std::uint32_t id = lastFreshId_;
  region->path = prefix_ + "_data_tmp_" + std::to_string(::getpid()) + "_" + std::to_string(id);
  ::unlink(region->path.c_str());  // ours alone while we hold the lock
  const std::uint64_t byteLength = kHeaderByteLength + toBytes(info[0]);
  auto fault = createFile(region->path, mode_, byteLength, region->file);
  if (!fault) fault = inspectFile(region->file.get(), region->path, region->facts);
  if (!fault) fault = mapFile(region->file.get(), byteLength, Access::sharedWrite, region->path, region->mapping);
  if (fault) {
    if (region->file) ::unlink(region->path.c_str());
    throwFault(env, *fault);
    return {};
  }
  fresh_[id] = std::move(region);
  return Napi::Number::New(env, id);
}

// growRegion(place, byteLength: number): makes a region without a name longer; what was written stays
Napi::Value WriterHandle::growRegion(const Napi::CallbackInfo& info) {
  Region& region = *find(info[0]);
  const std::uint64_t byteLength = kHeaderByteLength + toBytes(info[1]);
  region.buffer.detach();
  FileFacts facts;
  auto fault = growFile(region.file.get(), region.facts.byteLength, byteLength, region.path);
  if (!fault) fault = inspectFile(region.file.get(), region.path, facts);
  if (!fault) fault = region.mapping->extend(facts.byteLength);
  // Not before the mapping is as long: a codec may go on in what it has.
  if (!fault) region.facts = facts;
  if (fault) {
    throwFault(info.Env(), *fault);
    return {};
  }
  return info.Env().Undefined();
}

// discard(place): forgets a region without a name
Napi::Value WriterHandle::discard(const Napi::CallbackInfo& info) {
  const std::uint32_t id = info[0].As<Napi::Number>().Uint32Value();
  if (const auto found = fresh_.find(id); found != fresh_.end()) {
    ::unlink(found->second->path.c_str());
    fresh_.erase(found);
  }
  return info.Env().Undefined();
}

// buffer(place): ArrayBuffer over the payload's room, for codecs; detached when the region goes
Napi::Value WriterHandle::buffer(const Napi::CallbackInfo& info) {
  Region& region = *find(info[0]);
  const auto byteLength = static_cast<std::size_t>(region.payloadCapacity());
  return region.buffer.get(info.Env(), region.mapping->bytes() + kHeaderByteLength, byteLength);
}

// loan(place, byteLength: number): ArrayBuffer for a user to fill
Napi::Value WriterHandle::loan(const Napi::CallbackInfo& info) {
  Region& region = *find(info[0]);
  region.buffer.detach();
  region.loan = region.mapping;
  const Napi::Value buffer = makeOuterBuffer(info.Env(), region.mapping->bytes() + kHeaderByteLength,
                                             static_cast<std::size_t>(toBytes(info[1])), region.mapping);
  if (buffer.IsEmpty()) throwFault(info.Env(), Fault{ENOMEM, "napi_create_external_arraybuffer", region.path});
  return buffer;
}

// endLoan(place): the user's array becomes a private copy; a read that is still filling it ends there
Napi::Value WriterHandle::endLoan(const Napi::CallbackInfo& info) {
  Region& region = *find(info[0]);
  const std::shared_ptr<Mapping> lent = region.mapping;
  auto fault = mapFile(region.file.get(), region.facts.byteLength, Access::sharedWrite, region.path, region.mapping);
  if (!fault) fault = lent->makePrivate(region.file.get());
  if (fault) {
    throwFault(info.Env(), *fault);
    return {};
  }
  return info.Env().Undefined();
}

// The incarnation of the file that the slot's path leads to, 0 if that is no region of this store. One that we do not
// have open may still be there: a predecessor died between rename and W2.
std::optional<Fault> WriterHandle::findIncarnation(unsigned slot, std::uint64_t& incarnation) const {
  incarnation = regions_[slot] ? regions_[slot]->incarnation : 0;
  if (regions_[slot]) return std::nullopt;
  std::optional<RegionHeader> header;
  if (auto fault = peekHeader(regionPath(slot), header)) return fault;
  if (header && header->magic == kRegionMagic && header->storeId == state_->storeId()) incarnation = header->incarnation;
  return std::nullopt;
}

// What a predecessor left at a path when it died between rename and W2, or between W7 and unlink, is memory until it
// goes. W7 keeps its incarnation from coming again.
std::optional<Fault> WriterHandle::removeSuspects(int activeSlot) {
  for (unsigned slot = 0; slot < kSlotLimit; ++slot) {
    if (regions_[slot] || static_cast<int>(slot) == activeSlot || ::access(regionPath(slot).c_str(), F_OK) != 0) continue;
    std::uint64_t incarnation = 0;
    if (auto fault = findIncarnation(slot, incarnation)) return fault;
    if (incarnation == 0) continue;  // somebody else's; it goes when its slot is needed
    state_->handshake().vacate(slot, incarnation);
    ::unlink(regionPath(slot).c_str());
  }
  return std::nullopt;
}

// commit(place, slot, byteLength: number): number, the publish number. The region at `place` becomes the newest
// version; a fresh one replaces what the slot leads to.
Napi::Value WriterHandle::commit(const Napi::CallbackInfo& info) {
  const std::uint32_t place = info[0].As<Napi::Number>().Uint32Value();
  const unsigned slot = info[1].As<Napi::Number>().Uint32Value();
  const std::uint64_t payloadByteLength = toBytes(info[2]);
  const bool isFresh = place >= kSlotLimit;
  auto handshake = state_->handshake();
  Region& region = *find(info[0]);
  if (isFresh) {
    std::uint64_t incarnation = 0;
    if (auto fault = findIncarnation(slot, incarnation)) {
      throwFault(info.Env(), *fault);
      return {};
    }
    region.incarnation = handshake.nextIncarnation(slot, incarnation);
  }

  RegionHeader header{};
  header.magic = kRegionMagic;
  header.storeId = state_->storeId();
  header.slot = slot;
  header.flags = flags_;
  header.incarnation = region.incarnation;
  header.publishNumber = publishNumber_ + 1;
  header.publishedAtUs = nowUs();
  header.payloadByteLength = payloadByteLength;
  std::copy(codecId_.begin(), codecId_.end(), header.codecId);
  header.checksum = headerChecksum(header, region.mapping->bytes() + kHeaderByteLength);
  // In place the identity fields are written over with what they held: a reader may compare them at any time.
  RegionHeader& target = region.header();
  const std::uint64_t number = std::exchange(header.publishNumber, 0);
  target = header;
  // Last, as a sign for whoever finds the region after a crash. Readers learn of it from the version word.
  std::atomic_ref(target.publishNumber).store(number, std::memory_order_release);

  std::unique_ptr<Region> replaced;  // unmapped on return: readers need not wait for that
  if (isFresh) {
    const std::string path = regionPath(slot);
    if (::rename(region.path.c_str(), path.c_str()) != 0) {
      throwFault(info.Env(), lastFault("rename", path));
      return {};
    }
    handshake.install(slot, region.incarnation);
    region.path = path;
    replaced = std::exchange(regions_[slot], std::move(fresh_[place]));
    fresh_.erase(place);
  }
  const bool mustWake = handshake.announce(VersionWord(slot, payloadByteLength, header.checksum));
  publishNumber_ = activeNumber_ = number;
  StateRegion& state = state_->region();
  state.publishNumber = number;
  state.publishedAtUs = header.publishedAtUs;
  if (mustWake) wakeAll(state.sequence.value);
  return Napi::Number::New(info.Env(), static_cast<double>(number));
}

void WriterHandle::vacate(unsigned slot) {
  const Region& region = *regions_[slot];
  state_->handshake().vacate(slot, region.incarnation);
  // Not what came to the path since: it may belong to a writer of whom we have not heard yet.
  if (leadsTo(region.path, region.facts)) ::unlink(region.path.c_str());
  regions_[slot].reset();
}

// drop(slot): gives back this inactive slot's region, whoever still counts on it
Napi::Value WriterHandle::drop(const Napi::CallbackInfo& info) {
  const unsigned slot = info[0].As<Napi::Number>().Uint32Value();
  if (regions_[slot]) vacate(slot);
  return info.Env().Undefined();
}

// isLost(): boolean. Have the files been deleted or replaced under this writer?
Napi::Value WriterHandle::isLost(const Napi::CallbackInfo& info) {
  const bool isStateLost = !state_->isInPlace();
  if (isStateLost) {
    // Nobody finds this state region any more: tell those who still have it mapped. If the lock alone was lost, the
    // state region is another writer's by now.
    state_->handshake().bury();
    wakeAll(state_->region().sequence.value);
  }
  return Napi::Boolean::New(info.Env(), isStateLost || !lock_.isInPlace());
}

// isRegionLost(slot): boolean. Has somebody deleted or replaced the file of this slot's region?
Napi::Value WriterHandle::isRegionLost(const Napi::CallbackInfo& info) {
  const auto& region = regions_[info[0].As<Napi::Number>().Uint32Value()];
  return Napi::Boolean::New(info.Env(), region && !leadsTo(region->path, region->facts));
}

// heldByteLength(): number of bytes in all regions of this writer
Napi::Value WriterHandle::heldByteLength(const Napi::CallbackInfo& info) {
  std::uint64_t byteLength = 0;
  for (const auto& region : regions_) byteLength += region ? region->facts.byteLength : 0;
  for (const auto& [id, region] : fresh_) byteLength += region->facts.byteLength;
  return fromBytes(info.Env(), byteLength);
}

// availableByteLength(): number of bytes that the file system would still give
Napi::Value WriterHandle::availableByteLength(const Napi::CallbackInfo& info) {
  struct statvfs status {};
  const bool known = ::fstatvfs(state_->descriptor(), &status) == 0;
  return fromBytes(info.Env(), known ? std::uint64_t{status.f_bavail} * status.f_frsize : 0);
}

// bury(): no version of this store will follow; readers look for another store at the path
Napi::Value WriterHandle::bury(const Napi::CallbackInfo& info) {
  state_->handshake().bury();
  wakeAll(state_->region().sequence.value);
  return info.Env().Undefined();
}

// close(): lets go of everything; the files stay
Napi::Value WriterHandle::close(const Napi::CallbackInfo& info) {
  for (const auto& [id, region] : fresh_) ::unlink(region->path.c_str());
  fresh_.clear();
  for (auto& region : regions_) region.reset();
  if (state_ && lock_.isInPlace()) state_->region().pid = 0;
  state_.reset();
  lock_.release();
  return info.Env().Undefined();
}

}  // namespace vitrine
