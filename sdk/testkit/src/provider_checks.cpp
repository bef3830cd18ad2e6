#include <openarchiver/testkit/provider_checks.hpp>

#include "provider_suite.hpp"

namespace openarchiver::testkit {

namespace provider {

ConformanceCheck check(const ProviderFixture& fixture, Promise promise, Body body) {
    return {
        .promise = std::move(promise),
        .body = [open = fixture.open, body = std::move(body)](Findings& findings) {
            const auto session = open();
            if (findings.expect(session.has_value(), "the session opens", outcome_of(session))) {
                body(**session, findings);
            }
        }};
}

}  // namespace provider

std::vector<ConformanceCheck> provider_checks(const ProviderFixture& fixture) {
    std::vector<ConformanceCheck> checks;
    provider::add_discovery_checks(fixture, checks);
    provider::add_cursor_checks(fixture, checks);
    provider::add_content_checks(fixture, checks);
    provider::add_stop_checks(fixture, checks);
    provider::add_upstream_checks(fixture, checks);
    return checks;
}

}  // namespace openarchiver::testkit
