// Driven by checksum.test.ts, which knows the right answers.
//
//   checksum kernels            prints the name of every kernel that this processor can run
//   checksum hash KERNEL FILE   for each "offset length" line of standard input, prints the hash of that part
//                               of the file; KERNEL is such a name, or "default" for vitrine::checksum64

#include "../../native/checksum.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

namespace {

using vitrine::detail::ChecksumKernel;

[[noreturn]] void fail(const char* message) {
  std::fprintf(stderr, "checksum: %s\n", message);
  std::exit(1);
}

/// Memory between two inaccessible pages: whoever reads one byte before its begin or after its end gets a
/// signal.
class FencedMemory {
 public:
  explicit FencedMemory(std::size_t capacity) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inner = (capacity / page + 1) * page;
    void* mapped = mmap(nullptr, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) fail("mmap");
    begin_ = static_cast<std::uint8_t*>(mapped) + page;
    end_ = begin_ + inner;
    if (mprotect(begin_, inner, PROT_READ | PROT_WRITE) != 0) fail("mprotect");
  }

  std::uint8_t* atBegin() const { return begin_; }
  std::uint8_t* atEnd(std::size_t byteLength) const { return end_ - byteLength; }

 private:
  std::uint8_t* begin_;
  std::uint8_t* end_;
};

/// Null means: whatever vitrine::checksum64 chooses.
const ChecksumKernel* kernelNamed(std::string_view name) {
  if (name == "default") return nullptr;
  for (const ChecksumKernel& kernel : vitrine::detail::checksumKernels()) {
    if (name == kernel.name) return &kernel;
  }
  fail("no such kernel");
}

std::uint64_t hash(const ChecksumKernel* kernel, const std::uint8_t* data, std::size_t byteLength) {
  if (kernel == nullptr) return vitrine::checksum64(data, byteLength);
  return vitrine::detail::checksum64(data, byteLength, *kernel);
}

void hashParts(const ChecksumKernel* kernel, const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const FencedMemory memory(content.size());
  std::size_t offset;
  std::size_t byteLength;
  while (std::scanf("%zu %zu", &offset, &byteLength) == 2) {
    if (offset + byteLength > content.size()) fail("part outside of the file");
    // SAFETY: bytes may be looked at as any character type.
    const auto* inPlace = reinterpret_cast<const std::uint8_t*>(content.data()) + offset;
    const std::uint64_t result = hash(kernel, inPlace, byteLength);
    for (std::uint8_t* copy : {memory.atBegin(), memory.atEnd(byteLength)}) {
      std::memcpy(copy, inPlace, byteLength);
      if (hash(kernel, copy, byteLength) != result) fail("the result depends on where the bytes are");
    }
    std::printf("%016" PRIx64 "\n", result);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "kernels" && argc == 2) {
    for (const ChecksumKernel& kernel : vitrine::detail::checksumKernels()) std::puts(kernel.name);
  } else if (mode == "hash" && argc == 4) {
    hashParts(kernelNamed(argv[2]), argv[3]);
  } else {
    fail("usage: checksum kernels | checksum hash KERNEL FILE");
  }
}
