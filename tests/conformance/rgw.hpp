#pragma once

#include <filesystem>
#include <openarchiver/sdk/plugin.hpp>
#include <openarchiver/testkit/host_fixture.hpp>
#include <string>

namespace openarchiver::tests {

/// The Ceph RADOS Gateway that CTest starts for the tests of the s3 backend
/// (tests/services/ceph-rgw.sh).
struct Rgw {
    std::string endpoint;
    std::string tls_endpoint;
    std::string ca_file;
    std::string access_key_id;
    std::string secret_access_key;
    std::string admin;
    std::string gateway_socket;
    int osd_process = 0;

    /// Fails the test where there is none.
    static Rgw running();

    /// Runs radosgw-admin.
    void administer(const std::string& arguments) const;
    /// Changes a setting of the running gateway.
    void configure(const std::string& name, const std::string& value) const;
};

/// A user of the gateway with keys of its own.
struct RgwUser {
    std::string access_key_id;
    std::string secret_access_key;

    /// Named alike.
    static RgwUser create(const Rgw& rgw, const std::string& name);
};

/// A new bucket, and a host that has its user's keys.
struct Bucket {
    explicit Bucket(const Rgw& rgw);
    Bucket(const Rgw& rgw, const RgwUser& user);

    /// The configuration for it; `more` are further members ("\"prefix\": \"a\"").
    [[nodiscard]] std::string config(const std::string& more = "") const;

    auto open(const std::string& more = "") { return open_with(config(more)); }

    sdk::Result<std::unique_ptr<sdk::ObjectStore>> open_with(const std::string& config);

    std::string endpoint;
    std::string name;
    testkit::HostFixture host;
};

}  // namespace openarchiver::tests
