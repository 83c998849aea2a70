// Written from the specification of XXH3, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md,
// whose names for the steps are kept: stripe, block, accumulate, scramble, merge. The seed is 0 and left out
// everywhere.

#include "checksum.hpp"

#include <bit>
#include <cstring>
#include <iterator>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vitrine {
namespace {

using detail::ChecksumKernel;
using detail::ChecksumLanes;

static_assert(std::endian::native == std::endian::little, "words are read in memory order");
static_assert(sizeof(void*) == 8, "needs the 128-bit products that compilers offer on 64-bit targets only");

__extension__ using Uint128 = unsigned __int128;

constexpr std::uint64_t kPrime32x1 = 0x9E3779B1;
constexpr std::uint64_t kPrime32x2 = 0x85EBCA77;
constexpr std::uint64_t kPrime32x3 = 0xC2B2AE3D;
constexpr std::uint64_t kPrime64x1 = 0x9E3779B185EBCA87;
constexpr std::uint64_t kPrime64x2 = 0xC2B2AE3D27D4EB4F;
constexpr std::uint64_t kPrime64x3 = 0x165667B19E3779F9;
constexpr std::uint64_t kPrime64x4 = 0x85EBCA77C2B2AE63;
constexpr std::uint64_t kPrime64x5 = 0x27D4EB2F165667C5;
constexpr std::uint64_t kPrimeMx1 = 0x165667919E3779F9;
constexpr std::uint64_t kPrimeMx2 = 0x9FB21C651E98DF25;

constexpr std::size_t kSecretByteLength = 192;
alignas(64) constexpr std::uint8_t kSecret[kSecretByteLength] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

constexpr std::size_t kStripeByteLength = 64;
constexpr std::size_t kSecretStepPerStripe = 8;
constexpr std::size_t kStripesPerBlock = (kSecretByteLength - kStripeByteLength) / kSecretStepPerStripe;
constexpr std::size_t kBlockByteLength = kStripesPerBlock * kStripeByteLength;

constexpr const std::uint8_t* kScrambleSecret = kSecret + kSecretByteLength - 64;
constexpr const std::uint8_t* kLastStripeSecret = kSecret + kSecretByteLength - 71;

std::uint64_t load64(const std::uint8_t* bytes) noexcept {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

std::uint32_t load32(const std::uint8_t* bytes) noexcept {
  std::uint32_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

std::uint64_t multiplyAndFold(std::uint64_t a, std::uint64_t b) noexcept {
  const Uint128 product = static_cast<Uint128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t avalanche(std::uint64_t x) noexcept {
  x ^= x >> 37;
  x *= kPrimeMx1;
  return x ^ (x >> 32);
}

std::uint64_t avalancheXxh64(std::uint64_t x) noexcept {
  x ^= x >> 33;
  x *= kPrime64x2;
  x ^= x >> 29;
  x *= kPrime64x3;
  return x ^ (x >> 32);
}

std::uint64_t hash0() noexcept { return avalancheXxh64(load64(kSecret + 56) ^ load64(kSecret + 64)); }

std::uint64_t hash1To3(const std::uint8_t* input, std::size_t byteLength) noexcept {
  const std::uint32_t combined = static_cast<std::uint32_t>(input[byteLength - 1]) |
                                 static_cast<std::uint32_t>(byteLength) << 8 |
                                 static_cast<std::uint32_t>(input[0]) << 16 |
                                 static_cast<std::uint32_t>(input[byteLength >> 1]) << 24;
  return avalancheXxh64(static_cast<std::uint64_t>(load32(kSecret) ^ load32(kSecret + 4)) ^ combined);
}

std::uint64_t hash4To8(const std::uint8_t* input, std::size_t byteLength) noexcept {
  const std::uint64_t first = load32(input);
  const std::uint64_t last = load32(input + byteLength - 4);
  std::uint64_t value = load64(kSecret + 8) ^ load64(kSecret + 16) ^ (last | first << 32);
  value ^= std::rotl(value, 49) ^ std::rotl(value, 24);
  value *= kPrimeMx2;
  value ^= (value >> 35) + byteLength;
  value *= kPrimeMx2;
  return value ^ (value >> 28);
}

std::uint64_t hash9To16(const std::uint8_t* input, std::size_t byteLength) noexcept {
  const std::uint64_t low = load64(kSecret + 24) ^ load64(kSecret + 32) ^ load64(input);
  const std::uint64_t high = load64(kSecret + 40) ^ load64(kSecret + 48) ^ load64(input + byteLength - 8);
  return avalanche(byteLength + __builtin_bswap64(low) + high + multiplyAndFold(low, high));
}

std::uint64_t mix16(const std::uint8_t* input, const std::uint8_t* secret) noexcept {
  return multiplyAndFold(load64(input) ^ load64(secret), load64(input + 8) ^ load64(secret + 8));
}

std::uint64_t hash17To128(const std::uint8_t* input, std::size_t byteLength) noexcept {
  std::uint64_t sum = byteLength * kPrime64x1;
  const std::size_t pairs = (byteLength - 1) / 32 + 1;
  for (std::size_t i = 0; i < pairs; i++) {
    sum += mix16(input + i * 16, kSecret + i * 32);
    sum += mix16(input + byteLength - i * 16 - 16, kSecret + i * 32 + 16);
  }
  return avalanche(sum);
}

std::uint64_t hash129To240(const std::uint8_t* input, std::size_t byteLength) noexcept {
  std::uint64_t sum = byteLength * kPrime64x1;
  const std::size_t chunks = byteLength / 16;
  for (std::size_t i = 0; i < 8; i++) sum += mix16(input + i * 16, kSecret + i * 16);
  sum = avalanche(sum);
  for (std::size_t i = 8; i < chunks; i++) sum += mix16(input + i * 16, kSecret + (i - 8) * 16 + 3);
  sum += mix16(input + byteLength - 16, kSecret + 119);
  return avalanche(sum);
}

/// How an input longer than 240 bytes is cut. A last block that is full is still the last block, and the last
/// stripe is the last 64 bytes, which may overlap the stripes before it.
struct Cut {
  explicit Cut(const std::uint8_t* input, std::size_t byteLength) noexcept
      : lastBlock(input + (byteLength - 1) / kBlockByteLength * kBlockByteLength),
        lastBlockStripes((byteLength - 1) % kBlockByteLength / kStripeByteLength),
        lastStripe(input + byteLength - kStripeByteLength) {}

  // One count for full and last blocks keeps it a variable. Where a loop always runs 16 times, g++ 12 at -O3
  // unrolls it whole and spills its registers: the AVX2 kernel then loses a quarter (bench/checksum.cc).
  std::size_t stripesOfBlock(const std::uint8_t* block) const noexcept {
    return block == lastBlock ? lastBlockStripes : kStripesPerBlock;
  }

  const std::uint8_t* lastBlock;
  std::size_t lastBlockStripes;
  const std::uint8_t* lastStripe;
};

// The three kernels have the same shape, and each spells it out: a helper with a `target` attribute cannot be
// inlined into a loop without it, so a shared loop would pass the lanes through memory at every stripe.

namespace portable {

// By pairs, because lane i takes word i ^ 1 beside its own product (the specification says the same from the
// word's side). Loading the words one by one is twice as fast as an array of eight with g++ 12 at -O2.
void accumulatePair(std::uint64_t* lanes, const std::uint8_t* stripe, const std::uint8_t* secret) noexcept {
  const std::uint64_t word0 = load64(stripe);
  const std::uint64_t word1 = load64(stripe + 8);
  const std::uint64_t value0 = word0 ^ load64(secret);
  const std::uint64_t value1 = word1 ^ load64(secret + 8);
  lanes[0] += word1 + (value0 & 0xFFFFFFFF) * (value0 >> 32);
  lanes[1] += word0 + (value1 & 0xFFFFFFFF) * (value1 >> 32);
}

void accumulate(ChecksumLanes& lanes, const std::uint8_t* stripe, const std::uint8_t* secret) noexcept {
  for (std::size_t i = 0; i < 8; i += 2) accumulatePair(lanes.values + i, stripe + i * 8, secret + i * 8);
}

void scramble(ChecksumLanes& lanes) noexcept {
  for (std::size_t i = 0; i < 8; i++) {
    std::uint64_t& lane = lanes.values[i];
    lane = (lane ^ (lane >> 47) ^ load64(kScrambleSecret + i * 8)) * kPrime32x1;
  }
}

void fold(ChecksumLanes& result, const std::uint8_t* input, std::size_t byteLength) noexcept {
  const Cut cut(input, byteLength);
  ChecksumLanes lanes = result;
  for (;;) {
    const std::size_t stripes = cut.stripesOfBlock(input);
    for (std::size_t n = 0; n < stripes; n++) {
      accumulate(lanes, input + n * kStripeByteLength, kSecret + n * kSecretStepPerStripe);
    }
    if (input == cut.lastBlock) break;
    scramble(lanes);
    input += kBlockByteLength;
  }
  accumulate(lanes, cut.lastStripe, kLastStripeSecret);
  result = lanes;
}

}  // namespace portable

#if defined(__x86_64__)

namespace sse2 {

[[gnu::always_inline]] inline __m128i load(const std::uint8_t* bytes) noexcept {
  // SAFETY: __m128i may alias any type, loadu needs no alignment, and every caller has 16 bytes left at
  // `bytes`.
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

[[gnu::always_inline]] inline __m128i accumulated(__m128i lanes, const std::uint8_t* stripe,
                                                  const std::uint8_t* secret) noexcept {
  const __m128i words = load(stripe);
  const __m128i value = _mm_xor_si128(words, load(secret));
  const __m128i product = _mm_mul_epu32(value, _mm_srli_epi64(value, 32));
  const __m128i swapped = _mm_shuffle_epi32(words, _MM_SHUFFLE(1, 0, 3, 2));
  return _mm_add_epi64(lanes, _mm_add_epi64(product, swapped));
}

[[gnu::always_inline]] inline __m128i scrambled(__m128i lanes, const std::uint8_t* secret) noexcept {
  const __m128i prime = _mm_set1_epi64x(kPrime32x1);
  const __m128i value = _mm_xor_si128(_mm_xor_si128(lanes, _mm_srli_epi64(lanes, 47)), load(secret));
  const __m128i low = _mm_mul_epu32(value, prime);
  const __m128i high = _mm_mul_epu32(_mm_srli_epi64(value, 32), prime);
  return _mm_add_epi64(low, _mm_slli_epi64(high, 32));
}

// Four named registers rather than an array: at -O2, g++ keeps an array that a loop indexes in memory.
struct Lanes {
  __m128i a, b, c, d;

  [[gnu::always_inline]] void accumulate(const std::uint8_t* stripe, const std::uint8_t* secret) noexcept {
    a = accumulated(a, stripe, secret);
    b = accumulated(b, stripe + 16, secret + 16);
    c = accumulated(c, stripe + 32, secret + 32);
    d = accumulated(d, stripe + 48, secret + 48);
  }

  [[gnu::always_inline]] void scramble() noexcept {
    a = scrambled(a, kScrambleSecret);
    b = scrambled(b, kScrambleSecret + 16);
    c = scrambled(c, kScrambleSecret + 32);
    d = scrambled(d, kScrambleSecret + 48);
  }
};

void fold(ChecksumLanes& result, const std::uint8_t* input, std::size_t byteLength) noexcept {
  const Cut cut(input, byteLength);
  Lanes lanes;
  std::memcpy(&lanes, &result, sizeof(lanes));
  for (;;) {
    const std::size_t stripes = cut.stripesOfBlock(input);
    for (std::size_t n = 0; n < stripes; n++) {
      lanes.accumulate(input + n * kStripeByteLength, kSecret + n * kSecretStepPerStripe);
    }
    if (input == cut.lastBlock) break;
    lanes.scramble();
    input += kBlockByteLength;
  }
  lanes.accumulate(cut.lastStripe, kLastStripeSecret);
  std::memcpy(&result, &lanes, sizeof(lanes));
}

}  // namespace sse2

namespace avx2 {

#define VITRINE_AVX2 gnu::target("avx2")

[[VITRINE_AVX2, gnu::always_inline]] inline __m256i load(const std::uint8_t* bytes) noexcept {
  // SAFETY: __m256i may alias any type, loadu needs no alignment, and every caller has 32 bytes left at
  // `bytes`.
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
}

[[VITRINE_AVX2, gnu::always_inline]] inline __m256i accumulated(__m256i lanes, const std::uint8_t* stripe,
                                                                const std::uint8_t* secret) noexcept {
  const __m256i words = load(stripe);
  const __m256i value = _mm256_xor_si256(words, load(secret));
  const __m256i product = _mm256_mul_epu32(value, _mm256_srli_epi64(value, 32));
  const __m256i swapped = _mm256_shuffle_epi32(words, _MM_SHUFFLE(1, 0, 3, 2));
  return _mm256_add_epi64(lanes, _mm256_add_epi64(product, swapped));
}

[[VITRINE_AVX2, gnu::always_inline]] inline __m256i scrambled(__m256i lanes,
                                                              const std::uint8_t* secret) noexcept {
  const __m256i prime = _mm256_set1_epi64x(kPrime32x1);
  const __m256i value = _mm256_xor_si256(_mm256_xor_si256(lanes, _mm256_srli_epi64(lanes, 47)), load(secret));
  const __m256i low = _mm256_mul_epu32(value, prime);
  const __m256i high = _mm256_mul_epu32(_mm256_srli_epi64(value, 32), prime);
  return _mm256_add_epi64(low, _mm256_slli_epi64(high, 32));
}

struct Lanes {
  __m256i a, b;

  [[VITRINE_AVX2, gnu::always_inline]] void accumulate(const std::uint8_t* stripe,
                                                       const std::uint8_t* secret) noexcept {
    a = accumulated(a, stripe, secret);
    b = accumulated(b, stripe + 32, secret + 32);
  }

  [[VITRINE_AVX2, gnu::always_inline]] void scramble() noexcept {
    a = scrambled(a, kScrambleSecret);
    b = scrambled(b, kScrambleSecret + 32);
  }
};

[[VITRINE_AVX2]] void fold(ChecksumLanes& result, const std::uint8_t* input,
                           std::size_t byteLength) noexcept {
  const Cut cut(input, byteLength);
  Lanes lanes;
  std::memcpy(&lanes, &result, sizeof(lanes));
  for (;;) {
    const std::size_t stripes = cut.stripesOfBlock(input);
    for (std::size_t n = 0; n < stripes; n++) {
      lanes.accumulate(input + n * kStripeByteLength, kSecret + n * kSecretStepPerStripe);
    }
    if (input == cut.lastBlock) break;
    lanes.scramble();
    input += kBlockByteLength;
  }
  lanes.accumulate(cut.lastStripe, kLastStripeSecret);
  std::memcpy(&result, &lanes, sizeof(lanes));
}

#undef VITRINE_AVX2

}  // namespace avx2

#endif  // defined(__x86_64__)

// Slowest first; every processor runs a prefix of this list.
constexpr ChecksumKernel kKernels[] = {
    {"portable", portable::fold},
#if defined(__x86_64__)
    {"sse2", sse2::fold},
    {"avx2", avx2::fold},
#endif
};

std::size_t countRunnableKernels() noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // True only if the operating system saves the 256-bit registers, too.
  if (!__builtin_cpu_supports("avx2")) return std::size(kKernels) - 1;
#endif
  return std::size(kKernels);
}

std::uint64_t hashOver240(const std::uint8_t* input, std::size_t byteLength,
                          const ChecksumKernel& kernel) noexcept {
  ChecksumLanes lanes = {{kPrime32x3, kPrime64x1, kPrime64x2, kPrime64x3,  //
                          kPrime64x4, kPrime32x2, kPrime64x5, kPrime32x1}};
  kernel.fold(lanes, input, byteLength);
  std::uint64_t merged = byteLength * kPrime64x1;
  for (std::size_t i = 0; i < 8; i += 2) {
    const std::uint8_t* secret = kSecret + 11 + i * 8;
    merged += multiplyAndFold(lanes.values[i] ^ load64(secret), lanes.values[i + 1] ^ load64(secret + 8));
  }
  return avalanche(merged);
}

std::uint64_t hashUpTo240(const std::uint8_t* input, std::size_t byteLength) noexcept {
  if (byteLength > 128) return hash129To240(input, byteLength);
  if (byteLength > 16) return hash17To128(input, byteLength);
  if (byteLength > 8) return hash9To16(input, byteLength);
  if (byteLength > 3) return hash4To8(input, byteLength);
  if (byteLength > 0) return hash1To3(input, byteLength);
  return hash0();
}

}  // namespace

namespace detail {

std::span<const ChecksumKernel> checksumKernels() noexcept {
  static const std::size_t count = countRunnableKernels();
  return {kKernels, count};
}

std::uint64_t checksum64(const void* data, std::size_t byteLength, const ChecksumKernel& kernel) noexcept {
  const auto* input = static_cast<const std::uint8_t*>(data);
  return byteLength > 240 ? hashOver240(input, byteLength, kernel) : hashUpTo240(input, byteLength);
}

}  // namespace detail

std::uint64_t checksum64(const void* data, std::size_t byteLength) noexcept {
  return detail::checksum64(data, byteLength, detail::checksumKernels().back());
}

}  // namespace vitrine
