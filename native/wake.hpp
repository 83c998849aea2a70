// Wakes who sleeps on a word of the state region. Linux futex; a port replaces wake.cc.
#pragma once

#include <cstdint>

namespace vitrine {

// Everybody, in all processes, who sleeps on the low 32 bits of `word`.
void wakeAll(const std::uint64_t& word) noexcept;

}  // namespace vitrine
