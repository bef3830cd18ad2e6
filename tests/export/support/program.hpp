#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

/// Runs the built program.
namespace program_test {

struct Ended {
    int exit_code = -1;
    std::string out;
    std::string err;
};

/// A process that was started; ends with the object.
class Running {
public:
    Running(const std::filesystem::path& profile, const std::vector<std::string>& arguments);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    void signal(int number) const;
    Ended wait();

private:
    pid_t process_ = -1;
    std::filesystem::path out_;
    std::filesystem::path err_;
};

Ended run(const std::filesystem::path& profile, const std::vector<std::string>& arguments);

/// A folder that goes away with the object.
class TemporaryFolder {
public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& file);
void write_file(const std::filesystem::path& file, const std::string& text);

}  // namespace program_test
