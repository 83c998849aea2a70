#include "wake.hpp"

#include <climits>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vitrine {

void wakeAll(const std::uint64_t& word) noexcept {
  // Not FUTEX_PRIVATE: the waiters are other processes. Little-endian, so the low half comes first.
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace vitrine
