// A throw-away certificate authority and a server certificate for the loopback address.
#pragma once

#include <string>

namespace graph_simulator {

struct CertificateSet {
    std::string authority;    // PEM
    std::string certificate;  // PEM
    std::string key;          // PEM
};

CertificateSet make_certificates();

}  // namespace graph_simulator
