#include "pin.hpp"

#include <cstdlib>
#include <mutex>
#include <utility>

namespace vitrine {

namespace {

// All pins of the process: worker threads load the addon into environments of their own.
struct Registry {
  std::mutex mutex;
  Pin* first = nullptr;
};

Registry& registry() {
  // Never destroyed: threads may still let go of pins while the process leaves.
  static Registry& instance = *[] {
    auto* const created = new Registry;
    std::atexit([] { Pin::releaseAll(); });
    return created;
  }();
  return instance;
}

}  // namespace

Pin::Pin(std::shared_ptr<State> state, unsigned slot, std::uint64_t incarnation)
    : state_(std::move(state)), slot_(slot), incarnation_(incarnation) {
  const std::lock_guard guard(registry().mutex);
  next_ = std::exchange(registry().first, this);
  if (next_ != nullptr) next_->previous_ = this;
}

Pin::~Pin() {
  const std::lock_guard guard(registry().mutex);
  countOut();
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : registry().first) = next_;
}

void Pin::countOut() noexcept {
  if (std::exchange(counted_, false)) state_->handshake().unpin(slot_, incarnation_);
}

void Pin::releaseAll() noexcept {
  const std::lock_guard guard(registry().mutex);
  for (Pin* pin = registry().first; pin != nullptr; pin = pin->next_) pin->countOut();
}

}  // namespace vitrine
