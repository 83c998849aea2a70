#ifndef VITRINE_NATIVE_CHECKSUM_HPP_
#define VITRINE_NATIVE_CHECKSUM_HPP_

#include <cstddef>
#include <cstdint>
#include <span>

namespace vitrine {

/// XXH3-64 of the bytes, with seed 0 and the default secret: a published function, so that another program
/// can verify a region without this code. It finds damage; it does not withstand somebody who forges bytes on
/// purpose.
///
/// `data` needs no alignment, and may be null when `byteLength` is 0. No address, length or branch is derived
/// from the bytes: if somebody changes them during the call, the result is meaningless, but nothing outside
/// of [data, data + byteLength) is read.
std::uint64_t checksum64(const void* data, std::size_t byteLength) noexcept;

/// For tests and benchmarks, which have to reach the kernels that this processor would not choose.
namespace detail {

/// The state of an input longer than 240 bytes.
struct ChecksumLanes {
  alignas(32) std::uint64_t values[8];
};

/// Folds an input longer than 240 bytes into the lanes.
using ChecksumFold = void (*)(ChecksumLanes& lanes, const std::uint8_t* input,
                              std::size_t byteLength) noexcept;

struct ChecksumKernel {
  const char* name;
  ChecksumFold fold;
};

/// The kernels which this processor can run, slowest first. `checksum64` uses the last one.
std::span<const ChecksumKernel> checksumKernels() noexcept;

std::uint64_t checksum64(const void* data, std::size_t byteLength, const ChecksumKernel& kernel) noexcept;

}  // namespace detail
}  // namespace vitrine

#endif  // VITRINE_NATIVE_CHECKSUM_HPP_
