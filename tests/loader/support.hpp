#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// Gone with everything in it at the end of the test.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name =
            (std::filesystem::canonical(std::filesystem::temp_directory_path()) / "oa-XXXXXX")
                .string();
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("no temporary folder " + name);
        }
        path_ = name;
    }

    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

    [[nodiscard]] std::filesystem::path write(const std::string& name,
                                              std::string_view text) const {
        std::ofstream(path_ / name, std::ios::binary) << text;
        return path_ / name;
    }

private:
    std::filesystem::path path_;
};

/// Keeps what is logged, fields included.
class RecordingLogger final : public openarchiver::sdk::Logger {
public:
    void log(openarchiver::sdk::LogLevel, std::string_view message,
             std::initializer_list<openarchiver::sdk::LogField> fields) override {
        const std::lock_guard lock(mutex_);
        std::string line(message);
        for (const auto& field : fields) {
            line += ' ' + std::string(field.key) + '=' + std::string(field.value);
        }
        lines_.push_back(std::move(line));
    }

    [[nodiscard]] bool has(std::string_view part) const {
        const std::lock_guard lock(mutex_);
        for (const std::string& line : lines_) {
            if (line.find(part) != std::string::npos) {
                return true;
            }
        }
        return false;
    }

private:
    mutable std::mutex mutex_;  // guards lines_
    std::vector<std::string> lines_;
};

/// An environment variable for the time of a test; null removes it.
class ScopedVariable {
public:
    ScopedVariable(std::string name, const char* value) : name_(std::move(name)) {
        if (const char* before = std::getenv(name_.c_str())) {
            before_ = before;
            was_set_ = true;
        }
        set(value);
    }

    ScopedVariable(const ScopedVariable&) = delete;
    ScopedVariable& operator=(const ScopedVariable&) = delete;

    ~ScopedVariable() { set(was_set_ ? before_.c_str() : nullptr); }

    void set(const char* value) const {
        if (value != nullptr) {
            ::setenv(name_.c_str(), value, 1);
        } else {
            ::unsetenv(name_.c_str());
        }
    }

private:
    std::string name_;
    std::string before_;
    bool was_set_ = false;
};
