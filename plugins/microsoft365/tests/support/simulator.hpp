#pragma once

#include <sys/types.h>

#include <boost/json/value.hpp>
#include <memory>
#include <string>
#include <vector>

namespace openarchiver::microsoft365::test {

/// A simulated tenant, run as a program of its own.
class Simulator {
public:
    /// Null, after saying so, where the simulator was not built.
    static std::unique_ptr<Simulator> start(const std::vector<std::string>& arguments);
    Simulator(const Simulator&) = delete;
    Simulator& operator=(const Simulator&) = delete;
    ~Simulator();

    [[nodiscard]] const std::string& http() const { return http_; }

    [[nodiscard]] const std::string& https() const { return https_; }

    [[nodiscard]] boost::json::value get(const std::string& path) const;
    boost::json::value post(const std::string& path, const std::string& body) const;
    void clear_faults() const;

private:
    Simulator(pid_t process, int output) : process_(process), output_(output) {}

    [[nodiscard]] boost::json::value call(const std::string& method, const std::string& path,
                                          const std::string& body) const;

    pid_t process_;
    int output_;
    std::string http_;
    std::string https_;
};

}  // namespace openarchiver::microsoft365::test
