#pragma once

#include <Poco/Net/Context.h>

#include <filesystem>
#include <string>

namespace openarchiver::http::test {

/// A self-signed authority and a certificate of it, as PEM files in a folder that is removed again.
class TestCertificates {
public:
    /// `host` is the only name (or address) that the certificate is for.
    explicit TestCertificates(const std::string& host);
    TestCertificates(const TestCertificates&) = delete;
    TestCertificates& operator=(const TestCertificates&) = delete;
    ~TestCertificates();

    [[nodiscard]] std::filesystem::path ca_file() const { return folder_ / "ca.pem"; }

    [[nodiscard]] Poco::Net::Context::Ptr server_context() const;

private:
    std::filesystem::path folder_;
};

}  // namespace openarchiver::http::test
