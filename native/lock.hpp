// The writer's lock: an open-file-description lock on a file that is never mapped. The kernel drops it when the
// last reference to that description goes, so the file must not be mapped: a mapping would keep it.
#pragma once

#include <optional>
#include <string>

#include "os.hpp"

namespace vitrine {

class WriterLock {
 public:
  ~WriterLock() { release(); }

  // Takes the lock, creating the file if it is missing. `held` says whether somebody else has it; that is no fault.
  std::optional<Fault> acquire(const std::string& path, bool& held);

  // Whether the locked file is still the one that the next writer would lock.
  bool isInPlace() const;

  // Unlocks before closing: a forked child may hold the description open.
  void release();

 private:
  std::string path_;
  Descriptor file_;
};

}  // namespace vitrine
