#include "region.hpp"

#include <algorithm>
#include <atomic>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace vitrine {

Mapping::~Mapping() { ::munmap(address_, byteLength_); }

std::optional<Fault> Mapping::makePrivate(int descriptor) {
  // MAP_FIXED swaps the mapping under the address in one step: a read() that is filling it in another thread
  // goes on into private pages. mprotect() would do as well for the kernel's writes, but the first write of
  // JavaScript into the array would then be a SIGSEGV.
  void* const address = ::mmap(address_, byteLength_, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, descriptor, 0);
  if (address == MAP_FAILED) return lastFault("mmap", "");
  ::madvise(address_, byteLength_, MADV_DONTFORK);
  return std::nullopt;
}

void Mapping::separate() {
  const auto pageByteLength = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  for (std::size_t offset = 0; offset < byteLength_; offset += pageByteLength) {
    // A byte exchanged for itself is a write to the kernel, and to nobody else: not even to a read() that is filling
    // the page at this moment.
    const std::atomic_ref byte(*reinterpret_cast<std::uint8_t*>(bytes() + offset));  // SAFETY: bytes may be any
    std::uint8_t value = byte.load(std::memory_order_relaxed);
    while (!byte.compare_exchange_strong(value, value, std::memory_order_relaxed)) {
    }
  }
}

std::optional<Fault> Mapping::extend(std::size_t byteLength) {
  void* const address = ::mremap(address_, byteLength_, byteLength, MREMAP_MAYMOVE);
  if (address == MAP_FAILED) return lastFault("mremap", "");
  address_ = address;
  byteLength_ = byteLength;
  return std::nullopt;
}

std::optional<Fault> mapFile(int descriptor, std::size_t byteLength, Access access, const std::string& path,
                             std::shared_ptr<Mapping>& mapping) {
  const int protection = access == Access::sharedRead ? PROT_READ : PROT_READ | PROT_WRITE;
  const int flags = access == Access::privateWrite ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED;
  void* const address = ::mmap(nullptr, byteLength, protection, flags, descriptor, 0);
  if (address == MAP_FAILED) return lastFault("mmap", path);
  // A forked child has no business with our counts and must not write what we publish.
  ::madvise(address, byteLength, MADV_DONTFORK);
  mapping = std::make_shared<Mapping>(address, byteLength);
  return std::nullopt;
}

std::optional<Fault> growFile(int descriptor, std::uint64_t fromByteLength, std::uint64_t toByteLength,
                              const std::string& path) {
  // In chunks: tmpfs gives back what one call had allocated when a signal interrupts it, so that a single call
  // for gigabytes might never finish under a busy timer.
  constexpr std::uint64_t kChunkByteLength = std::uint64_t{64} << 20;
  for (std::uint64_t offset = fromByteLength; offset < toByteLength;) {
    const std::uint64_t byteLength = std::min(kChunkByteLength, toByteLength - offset);
    const int error = ::posix_fallocate(descriptor, static_cast<off_t>(offset), static_cast<off_t>(byteLength));
    if (error == EINTR) continue;
    if (error != 0) return Fault{error, "posix_fallocate", path};
    offset += byteLength;
  }
  return std::nullopt;
}

std::optional<Fault> createFile(const std::string& path, mode_t mode, std::uint64_t byteLength, Descriptor& file) {
  Descriptor created(retryInterrupted(
      [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode); }));
  if (!created) return lastFault("open", path);
  std::optional<Fault> fault;
  // The mode is what the caller said, whatever the umask.
  if (::fchmod(created.get(), mode) != 0) fault = lastFault("fchmod", path);
  if (!fault) fault = growFile(created.get(), 0, byteLength, path);
  if (fault) {
    ::unlink(path.c_str());
    return fault;
  }
  file = std::move(created);
  return std::nullopt;
}

std::optional<Fault> openFile(const std::string& path, bool writable, Descriptor& file) {
  const int flags = (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  Descriptor opened(retryInterrupted([&] { return ::open(path.c_str(), flags); }));
  if (!opened) return lastFault("open", path);
  struct stat status;
  if (::fstat(opened.get(), &status) != 0) return lastFault("fstat", path);
  if (S_ISDIR(status.st_mode)) return Fault{EISDIR, "open", path};
  if (!S_ISREG(status.st_mode)) return Fault{EINVAL, "open", path};
  file = std::move(opened);
  return std::nullopt;
}

std::optional<Fault> inspectFile(int descriptor, const std::string& path, FileFacts& facts) {
  struct stat status;
  if (::fstat(descriptor, &status) != 0) return lastFault("fstat", path);
  facts = FileFacts{static_cast<std::uint64_t>(status.st_size), status.st_dev,  status.st_ino,
                    status.st_nlink,                             status.st_mode, status.st_uid};
  return std::nullopt;
}

bool leadsTo(const std::string& path, const FileFacts& facts) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0 && status.st_dev == facts.device && status.st_ino == facts.inode;
}

bool readAt(int descriptor, void* target, std::size_t byteLength, std::uint64_t offset) {
  auto* bytes = static_cast<std::byte*>(target);
  while (byteLength > 0) {
    const ssize_t count =
        retryInterrupted([&] { return ::pread(descriptor, bytes, byteLength, static_cast<off_t>(offset)); });
    if (count <= 0) return false;
    bytes += count;
    offset += static_cast<std::uint64_t>(count);
    byteLength -= static_cast<std::size_t>(count);
  }
  return true;
}

std::optional<Fault> peekHeader(const std::string& path, std::optional<RegionHeader>& header) {
  Descriptor file;
  if (auto fault = openFile(path, false, file)) return fault->errorNumber == ENOENT ? std::nullopt : fault;
  RegionHeader read;
  if (readAt(file.get(), &read, sizeof read, 0)) header = read;
  return std::nullopt;
}

}  // namespace vitrine
