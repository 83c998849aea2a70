// Regions as the operating system knows them: files with all their bytes allocated, and mappings of them.
// Linux; a port replaces region.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <sys/types.h>

#include "layout.hpp"
#include "os.hpp"

namespace vitrine {

enum class Access {
  sharedWrite,  // what is written reaches everybody
  // What others write is seen here. Never private: a private mapping may keep a page as it was, and under
  // mlockall(MCL_FUTURE) the kernel copies all pages of a writable one when it maps them.
  sharedRead,
  // For a window of the user over one version that is pinned, never used for another one: what is written into it
  // stays here.
  privateWrite,
};

// One mapping of one file, from its first byte. Unmapped with its last owner.
class Mapping {
 public:
  Mapping(void* address, std::size_t byteLength) : address_(address), byteLength_(byteLength) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  std::byte* bytes() const { return static_cast<std::byte*>(address_); }
  std::size_t byteLength() const { return byteLength_; }

  // Bytes written here no longer reach the file, and nothing that still writes here faults.
  std::optional<Fault> makePrivate(int descriptor);

  // Of a private mapping: what is written to the file from now on, by anybody, does not show here. Copies every page
  // that was not written to yet, while others may be writing to them.
  void separate();

  // The same file, longer; moves the mapping.
  std::optional<Fault> extend(std::size_t byteLength);

 private:
  void* address_;
  std::size_t byteLength_;
};

std::optional<Fault> mapFile(int descriptor, std::size_t byteLength, Access access, const std::string& path,
                             std::shared_ptr<Mapping>& mapping);

// Creates a file that must not exist, of `byteLength` zero bytes that are all allocated: a full file system
// fails here and not as SIGBUS at the first write.
std::optional<Fault> createFile(const std::string& path, mode_t mode, std::uint64_t byteLength, Descriptor& file);

// Makes it longer; the added bytes are zero and allocated.
std::optional<Fault> growFile(int descriptor, std::uint64_t fromByteLength, std::uint64_t toByteLength,
                              const std::string& path);

// Opens a regular file; follows no link, blocks on no FIFO.
std::optional<Fault> openFile(const std::string& path, bool writable, Descriptor& file);

struct FileFacts {
  std::uint64_t byteLength;
  std::uint64_t device;
  std::uint64_t inode;
  std::uint64_t linkCount;
  mode_t mode;
  uid_t owner;
};

std::optional<Fault> inspectFile(int descriptor, const std::string& path, FileFacts& facts);

// Whether the path still leads to this open file.
bool leadsTo(const std::string& path, const FileFacts& facts);

// Reads bytes without mapping them; false if the file ends before.
bool readAt(int descriptor, void* target, std::size_t byteLength, std::uint64_t offset);

// The header of the region that a path leads to; nothing where no file of that length is.
std::optional<Fault> peekHeader(const std::string& path, std::optional<RegionHeader>& header);

}  // namespace vitrine
