#pragma once

#include <unistd.h>

namespace openarchiver::files {

/// Closes what it holds, if that is a descriptor.
class FileDescriptor {
public:
    explicit FileDescriptor(int value) : value_(value) {}

    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;

    ~FileDescriptor() {
        if (value_ >= 0) {
            ::close(value_);
        }
    }

    [[nodiscard]] int get() const noexcept { return value_; }

private:
    int value_;
};

}  // namespace openarchiver::files
