#include "lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "region.hpp"

namespace vitrine {

namespace {

int setLock(int descriptor, short type) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  return retryInterrupted([&] { return ::fcntl(descriptor, F_OFD_SETLK, &range); });
}

}  // namespace

std::optional<Fault> WriterLock::acquire(const std::string& path, bool& held) {
  held = false;
  for (;;) {
    Descriptor file(retryInterrupted([&] {
      return ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, S_IRUSR | S_IWUSR);
    }));
    if (!file) return lastFault("open", path);
    struct stat status;
    if (::fstat(file.get(), &status) != 0) return lastFault("fstat", path);
    if (!S_ISREG(status.st_mode)) return Fault{EINVAL, "open", path};
    if (setLock(file.get(), F_WRLCK) != 0) {
      if (errno != EAGAIN && errno != EACCES) return lastFault("fcntl", path);
      held = true;
      return std::nullopt;
    }
    path_ = path;
    file_ = std::move(file);
    // A writer that destroys its store unlinks the file while it holds the lock: what we locked may be the old
    // file, while somebody else locks a new one.
    if (isInPlace()) return std::nullopt;
    release();
  }
}

bool WriterLock::isInPlace() const {
  FileFacts facts;
  return file_ && !inspectFile(file_.get(), path_, facts) && leadsTo(path_, facts);
}

void WriterLock::release() {
  if (file_) setLock(file_.get(), F_UNLCK);
  file_.reset();
}

}  // namespace vitrine
