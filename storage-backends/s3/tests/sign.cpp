// s3-sign: signs what it is told on standard input, one JSON object a line, for the comparison with
// another implementation (signature_oracle.py).
#include <boost/json.hpp>
#include <chrono>
#include <iostream>

#include "signature.hpp"

using namespace openarchiver::s3;

int main() {
    std::string line;
    while (std::getline(std::cin, line)) {
        const auto document = boost::json::parse(line);
        const auto text = [&](const char* name) {
            return boost::json::value_to<std::string>(document.at(name));
        };
        using Pairs = std::vector<std::pair<std::string, std::string>>;
        RequestToSign request;
        request.method = text("method");
        request.path = text("path");
        request.query = boost::json::value_to<Pairs>(document.at("query"));
        request.fields = boost::json::value_to<Pairs>(document.at("fields"));
        request.payload_sha256 = text("payload_sha256");
        const std::chrono::sys_seconds time(std::chrono::seconds(document.at("time").as_int64()));
        request.fields.emplace_back("x-amz-date", amz_date(time));
        std::cout << encode_path(request.path) << '\t' << encode_query(request.query) << '\t'
                  << authorization(request, {text("key"), text("secret"), ""}, text("region"), time)
                  << '\n';
    }
}
