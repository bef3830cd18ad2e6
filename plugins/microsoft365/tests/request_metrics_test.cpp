#include "graph/request_metrics.hpp"

#include <catch2/catch.hpp>

using namespace openarchiver::microsoft365;

TEST_CASE("A request is counted by what it asks for, never by whose it is") {
    const std::string user = "/v1.0/users/2b6f3c8a-0d1e-4f2a-9b3c-4d5e6f708192";
    CHECK(route_of("/v1.0/users?$select=id&$top=999") == "users");
    CHECK(route_of("/v1.0/users/delta?$deltatoken=x/messages") == "users_delta");
    CHECK(route_of(user + "?$select=id") == "user");
    CHECK(route_of(user + "/mailboxSettings/userPurpose") == "mailbox_settings");
    CHECK(route_of(user + "/mailFolders?$top=250") == "folders");
    CHECK(route_of(user + "/mailFolders/inbox?$select=id") == "folders");
    CHECK(route_of(user + "/mailFolders/AAA%2FB=/childFolders") == "folders");
    CHECK(route_of(user + "/mailFolders/delta?$select=id") == "folders_delta");
    CHECK(route_of(user + "/mailFolders/AAA=/messages/delta?$select=id") == "delta");
    CHECK(route_of(user + "/mailFolders('AAA=')/messages/delta()?$skiptoken=y") == "delta");
    CHECK(route_of(user + "/mailFolders/AAA=/messages?$top=50") == "messages");
    CHECK(route_of(user + "/messages/AAMk%2F=/$value") == "value");
    CHECK(route_of(user + "/messages/AAMk?$select=id") == "message");
    CHECK(route_of(user + "/messages/AAMk/attachments/BBB/$value") == "attachments");
    CHECK(route_of("/v1.0/groups/1/transitiveMembers") == "groups");
    CHECK(route_of("/v1.0/$batch") == "batch");
    CHECK(route_of("/v1.0/organization") == "other");
}
