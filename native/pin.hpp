// A pin on one version, held beyond the call that adopted it. Counted out with its last owner, and on the way out
// of the process: there neither finalizers nor environment hooks run, and a count that stays behind would cost the
// writer a replacement.
#pragma once

#include <cstdint>
#include <memory>

#include "state.hpp"

namespace vitrine {

class Pin {
 public:
  // Takes over a count that adopt() has already added.
  Pin(std::shared_ptr<State> state, unsigned slot, std::uint64_t incarnation);
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin();

  // Counts out every pin of the process; later destructors find nothing to do.
  static void releaseAll() noexcept;

 private:
  void countOut() noexcept;

  std::shared_ptr<State> state_;
  unsigned slot_;
  std::uint64_t incarnation_;
  bool counted_ = true;
  Pin* previous_ = nullptr;
  Pin* next_ = nullptr;
};

}  // namespace vitrine
