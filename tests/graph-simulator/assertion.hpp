// Client assertions: JWTs signed with the application's certificate.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace graph_simulator {

struct AssertionProblem {
    int code = 0;  // AADSTS number, 0 when the assertion is good
    std::string detail;
};

class AssertionVerifier {
public:
    // Throws std::runtime_error when the file holds no certificate.
    explicit AssertionVerifier(const std::string& certificate_file);
    ~AssertionVerifier();
    AssertionVerifier(const AssertionVerifier&) = delete;
    AssertionVerifier& operator=(const AssertionVerifier&) = delete;

    AssertionProblem check(std::string_view assertion, std::string_view audience,
                           std::string_view client_id, std::int64_t now);

private:
    void* certificate_;  // X509
    std::string sha256_thumbprint_;
    std::string sha1_thumbprint_;
    std::set<std::string> seen_;
};

}  // namespace graph_simulator
