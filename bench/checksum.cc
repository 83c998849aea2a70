// What does a checksum cost beside the copy that a publish makes anyway? Run with (-O3 as node-gyp)
//
//   g++ -std=c++20 -O3 -o /tmp/checksum bench/checksum.cc native/checksum.cc && /tmp/checksum
//
// Every round measures memcpy and each kernel one after the other, so that a slower moment of the machine
// strikes all of them; the figures are medians over the rounds. "x memcpy" is the checksum's time divided by
// the copy's.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "../native/checksum.hpp"

namespace {

using vitrine::detail::ChecksumKernel;

constexpr std::size_t kKib = 1024;
constexpr std::size_t kMib = 1024 * kKib;
constexpr std::size_t kBytesPerSample = 64 * kMib;
constexpr int kRounds = 31;
constexpr std::size_t kPage = 4 * kKib;

// The places are chosen rather than left to malloc: when the target lies 16 bytes (modulo a page) above the
// source, glibc's memcpy (`rep movsb`) falls from 45 GB/s to 2 GB/s on some AMD processors, and any checksum
// looks cheap.
constexpr std::size_t kTargetOffset = 64;

/// Keeps the compiler from dropping a copy that nobody reads, or a hash that nobody uses.
void use(const void* pointer) { asm volatile("" : : "g"(pointer) : "memory"); }

template <typename Work>
double nanosecondsPerCall(std::size_t calls, Work work) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < calls; i++) work();
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  return elapsed.count() / static_cast<double>(calls);
}

double median(std::vector<double>& samples) {
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return *middle;
}

void measure(std::size_t byteLength) {
  const std::size_t calls = kBytesPerSample / byteLength;
  const auto kernels = vitrine::detail::checksumKernels();
  std::vector<std::uint8_t> memory(2 * (byteLength + kPage) + kPage);
  void* begin = memory.data();
  std::size_t space = memory.size();
  auto* source = static_cast<std::uint8_t*>(std::align(kPage, 2 * (byteLength + kPage), begin, space));
  auto* target = source + byteLength + kTargetOffset;
  for (std::size_t i = 0; i < byteLength; i++) source[i] = static_cast<std::uint8_t>(i * 167 >> 3);

  std::vector<double> copySamples;
  std::vector<std::vector<double>> kernelSamples(kernels.size());
  for (int round = 0; round < kRounds; round++) {
    copySamples.push_back(nanosecondsPerCall(calls, [&] {
      std::memcpy(target, source, byteLength);
      use(target);
    }));
    for (std::size_t k = 0; k < kernels.size(); k++) {
      kernelSamples[k].push_back(nanosecondsPerCall(calls, [&] {
        const std::uint64_t hash = vitrine::detail::checksum64(source, byteLength, kernels[k]);
        use(&hash);
      }));
    }
  }

  const double copy = median(copySamples);
  std::printf("%6zu KiB  memcpy    %6.1f GB/s\n", byteLength / kKib, static_cast<double>(byteLength) / copy);
  for (std::size_t k = 0; k < kernels.size(); k++) {
    const double time = median(kernelSamples[k]);
    std::printf("            %-9s %6.1f GB/s  %5.2f x memcpy\n", kernels[k].name,
                static_cast<double>(byteLength) / time, time / copy);
  }
}

}  // namespace

int main() {
  for (const std::size_t byteLength : {4 * kKib, 64 * kKib, kMib, 64 * kMib}) measure(byteLength);
}
