// What every file that calls the operating system shares: an owned descriptor and the report of a failed call.
#pragma once

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include <unistd.h>

namespace vitrine {

// A system call that failed. The addon throws it; TypeScript turns it into a StoreError.
struct Fault {
  int errorNumber;
  const char* syscall;
  std::string path;
};

inline Fault lastFault(const char* syscall, std::string path) { return Fault{errno, syscall, std::move(path)}; }

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      value_ = std::exchange(other.value_, -1);
    }
    return *this;
  }
  ~Descriptor() { reset(); }

  explicit operator bool() const { return value_ >= 0; }
  int get() const { return value_; }
  void reset() {
    if (value_ >= 0) ::close(value_);
    value_ = -1;
  }

 private:
  int value_ = -1;
};

// Repeats a call that a signal interrupted.
template <class Call>
auto retryInterrupted(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace vitrine
