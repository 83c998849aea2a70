#include "state.hpp"

#include <cstring>

#include <fcntl.h>
#include <sys/random.h>
#include <time.h>

#include "checksum.hpp"

namespace vitrine {

namespace {

StateFlaw flawOf(const StateRegion& region) {
  if (region.magic != kStateMagic) return StateFlaw::magic;
  if (region.byteOrderMark != kByteOrderMark) return StateFlaw::byteOrder;
  if (region.formatVersion != kFormatVersion) return StateFlaw::formatVersion;
  return StateFlaw::none;
}

}  // namespace

StateRegion& State::region() const {
  // SAFETY: the mapping is page-aligned, kStateByteLength long (checked in open()), and StateRegion is an
  // implicit-lifetime aggregate of integers for which every bit pattern is a value.
  return *reinterpret_cast<StateRegion*>(mapping_->bytes());
}

std::optional<Fault> State::open(const std::string& path, bool writable, std::shared_ptr<State>& state,
                                 StateFlaw& flaw, std::uint32_t& formatVersion) {
  auto opened = std::make_shared<State>();
  opened->path_ = path;
  if (auto fault = openFile(path, writable, opened->file_)) return fault;
  if (auto fault = inspectFile(opened->file_.get(), path, opened->facts_)) return fault;
  // What comes before the store id is where it is in every format, the length is not.
  StateRegion start{};
  if (readAt(opened->file_.get(), &start, offsetof(StateRegion, storeId), 0) &&
      flawOf(start) == StateFlaw::formatVersion) {
    formatVersion = start.formatVersion;
    flaw = StateFlaw::formatVersion;
    return std::nullopt;
  }
  if (opened->facts_.byteLength != kStateByteLength) {
    flaw = StateFlaw::byteLength;
    return std::nullopt;
  }
  const Access access = writable ? Access::sharedWrite : Access::sharedRead;
  if (auto fault = mapFile(opened->file_.get(), kStateByteLength, access, path, opened->mapping_)) return fault;
  formatVersion = opened->region().formatVersion;
  flaw = flawOf(opened->region());
  opened->storeId_ = opened->region().storeId;
  opened->reuse_ = opened->region().reuse != 0;
  if (flaw == StateFlaw::none) state = std::move(opened);
  return std::nullopt;
}

std::optional<Fault> State::create(const std::string& path, const std::string& temporaryPath, mode_t mode,
                                   bool reuse) {
  StateRegion initial{};
  initial.magic = kStateMagic;
  initial.formatVersion = kFormatVersion;
  initial.byteOrderMark = kByteOrderMark;
  initial.createdAtUs = nowUs();
  initial.reuse = reuse ? 1 : 0;
  initial.bootId = currentBootId();
  if (::getrandom(&initial.storeId, sizeof initial.storeId, 0) != sizeof initial.storeId) {
    return lastFault("getrandom", path);
  }
  Descriptor file;
  if (auto fault = createFile(temporaryPath, mode, kStateByteLength, file)) return fault;
  std::optional<Fault> fault;
  if (::pwrite(file.get(), &initial, sizeof initial, 0) != static_cast<ssize_t>(sizeof initial)) {
    fault = lastFault("pwrite", temporaryPath);
  } else if (::link(temporaryPath.c_str(), path.c_str()) != 0) {
    fault = lastFault("link", path);
  }
  ::unlink(temporaryPath.c_str());
  return fault;
}

std::uint64_t currentBootId() {
  static const std::uint64_t id = [] {
    char text[64] = {};
    Descriptor file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
    const ssize_t byteLength = file ? ::read(file.get(), text, sizeof text) : 0;
    return checksum64(text, byteLength > 0 ? static_cast<std::size_t>(byteLength) : 0);
  }();
  return id;
}

std::uint64_t nowUs() {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

std::uint64_t headerChecksum(const RegionHeader& header, const std::byte* payload) {
  RegionHeader hashed = header;
  const bool withPayload = (header.flags & kFlagPayloadHashed) != 0;
  hashed.checksum = withPayload ? checksum64(payload, static_cast<std::size_t>(header.payloadByteLength)) : 0;
  return checksum64(&hashed, sizeof hashed);
}

}  // namespace vitrine
