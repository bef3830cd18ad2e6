#include "resources.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "bytes.hpp"
#include "text.hpp"
#include "time_text.hpp"

namespace graph_simulator {
namespace {

constexpr std::array<std::string_view, 74> kUserProperties = {"aboutMe",
                                                              "accountEnabled",
                                                              "ageGroup",
                                                              "assignedLicenses",
                                                              "assignedPlans",
                                                              "authorizationInfo",
                                                              "birthday",
                                                              "businessPhones",
                                                              "city",
                                                              "companyName",
                                                              "consentProvidedForMinor",
                                                              "country",
                                                              "createdDateTime",
                                                              "creationType",
                                                              "customSecurityAttributes",
                                                              "deletedDateTime",
                                                              "department",
                                                              "displayName",
                                                              "employeeHireDate",
                                                              "employeeId",
                                                              "employeeLeaveDateTime",
                                                              "employeeOrgData",
                                                              "employeeType",
                                                              "externalUserState",
                                                              "externalUserStateChangeDateTime",
                                                              "faxNumber",
                                                              "givenName",
                                                              "hireDate",
                                                              "id",
                                                              "identities",
                                                              "imAddresses",
                                                              "interests",
                                                              "isManagementRestricted",
                                                              "isResourceAccount",
                                                              "jobTitle",
                                                              "lastPasswordChangeDateTime",
                                                              "legalAgeGroupClassification",
                                                              "licenseAssignmentStates",
                                                              "mail",
                                                              "mailNickname",
                                                              "mailboxSettings",
                                                              "mobilePhone",
                                                              "mySite",
                                                              "officeLocation",
                                                              "onPremisesDistinguishedName",
                                                              "onPremisesDomainName",
                                                              "onPremisesExtensionAttributes",
                                                              "onPremisesImmutableId",
                                                              "onPremisesLastSyncDateTime",
                                                              "onPremisesProvisioningErrors",
                                                              "onPremisesSamAccountName",
                                                              "onPremisesSecurityIdentifier",
                                                              "onPremisesSyncEnabled",
                                                              "onPremisesUserPrincipalName",
                                                              "otherMails",
                                                              "passwordPolicies",
                                                              "passwordProfile",
                                                              "pastProjects",
                                                              "postalCode",
                                                              "preferredDataLocation",
                                                              "preferredLanguage",
                                                              "preferredName",
                                                              "provisionedPlans",
                                                              "proxyAddresses",
                                                              "responsibilities",
                                                              "schools",
                                                              "securityIdentifier",
                                                              "showInAddressList",
                                                              "signInActivity",
                                                              "signInSessionsValidFromDateTime",
                                                              "skills",
                                                              "state",
                                                              "streetAddress",
                                                              "surname"};
constexpr std::array<std::string_view, 3> kMoreUserProperties = {"usageLocation",
                                                                 "userPrincipalName", "userType"};
constexpr std::array<std::string_view, 11> kUserDefaults = {
    "businessPhones", "displayName",       "givenName", "jobTitle",          "mail", "mobilePhone",
    "officeLocation", "preferredLanguage", "surname",   "userPrincipalName", "id"};
constexpr std::array<std::string_view, 7> kFolderProperties = {"id",
                                                               "displayName",
                                                               "parentFolderId",
                                                               "childFolderCount",
                                                               "unreadItemCount",
                                                               "totalItemCount",
                                                               "isHidden"};
constexpr std::array<std::string_view, 30> kMessageProperties = {"id",
                                                                 "createdDateTime",
                                                                 "lastModifiedDateTime",
                                                                 "changeKey",
                                                                 "categories",
                                                                 "receivedDateTime",
                                                                 "sentDateTime",
                                                                 "hasAttachments",
                                                                 "internetMessageId",
                                                                 "subject",
                                                                 "bodyPreview",
                                                                 "importance",
                                                                 "parentFolderId",
                                                                 "conversationId",
                                                                 "conversationIndex",
                                                                 "isDeliveryReceiptRequested",
                                                                 "isReadReceiptRequested",
                                                                 "isRead",
                                                                 "isDraft",
                                                                 "webLink",
                                                                 "inferenceClassification",
                                                                 "body",
                                                                 "sender",
                                                                 "from",
                                                                 "toRecipients",
                                                                 "ccRecipients",
                                                                 "bccRecipients",
                                                                 "replyTo",
                                                                 "flag",
                                                                 "internetMessageHeaders"};

constexpr std::size_t kBodyRoom = 262144;
constexpr std::uint32_t kMailboxItself = 90000000;  // the root's parent

json::array proxy_addresses(const User& user) {
    json::array out;
    if (!user.mail.empty())
        out.emplace_back("SMTP:" + user.mail);
    const auto at = user.original_address.find('@');
    if (user.type == "Member" && at != std::string::npos) {
        if (user.original_address != user.mail)
            out.emplace_back("smtp:" + user.original_address);
        out.emplace_back("smtp:" + user.original_address.substr(0, at) +
                         "@contoso.onmicrosoft.example");
    }
    return out;
}

json::array assigned_plans(const User& user) {
    json::array out;
    if (user.licensed) {
        out.push_back(json::object{{"assignedDateTime", "2024-02-11T09:30:00Z"},
                                   {"capabilityStatus", "Enabled"},
                                   {"service", "exchange"},
                                   {"servicePlanId", "efb87545-963c-4e0d-99df-69c6916d9eb0"}});
    }
    return out;
}

json::value text_or_null(const std::string& text) {
    return text.empty() ? json::value() : json::value(view(text));
}

json::value user_property(const User& user, std::string_view name) {
    if (name == "id")
        return view(user.id);
    if (name == "userPrincipalName")
        return view(user.upn);
    if (name == "mail")
        return text_or_null(user.mail);
    if (name == "displayName")
        return view(user.name);
    if (name == "accountEnabled")
        return user.enabled;
    if (name == "userType")
        return text_or_null(user.type);
    if (name == "proxyAddresses")
        return proxy_addresses(user);
    if (name == "assignedPlans")
        return assigned_plans(user);
    if (name == "department")
        return text_or_null(user.department);
    if (name == "createdDateTime")
        return view(iso_time(user.created));
    if (name == "givenName")
        return view(user.name.substr(0, user.name.find(' ')));
    if (name == "surname") {
        const auto space = user.name.find(' ');
        return space == std::string::npos ? json::value() : view(user.name.substr(space + 1));
    }
    if (name == "mailNickname")
        return view(user.upn.substr(0, user.upn.find('@')));
    if (name == "usageLocation")
        return "DE";
    if (name == "businessPhones" || name == "assignedLicenses" || name == "provisionedPlans" ||
        name == "otherMails" || name == "imAddresses" || name == "identities" ||
        name == "onPremisesProvisioningErrors" || name == "licenseAssignmentStates") {
        return json::array();
    }
    return nullptr;
}

std::string change_key(const Message& message) {
    const std::uint64_t word = mix(message.content.seed + message.number, message.version);
    return "CQAAABYAAAA" +
           base64url_encode({reinterpret_cast<const char*>(&word), sizeof(word)}).substr(0, 10);
}

json::object recipient(const std::string& name, const std::string& address) {
    return {{"emailAddress", json::object{{"name", view(name.empty() ? address : name)},
                                          {"address", view(address)}}}};
}

// Fills in what costs something only when it is asked for.
class MessageWriter {
public:
    MessageWriter(const Tenant& tenant, const User& user, const Message& message,
                  const MessageView& how)
        : tenant_(tenant), user_(user), message_(message), how_(how) {}

    json::value property(std::string_view name) {
        if (name == "id")
            return view(Tenant::message_id(user_, message_, how_.immutable_ids));
        if (name == "receivedDateTime" || name == "createdDateTime") {
            return view(iso_time(message_.received));
        }
        if (name == "lastModifiedDateTime")
            return view(iso_time(message_.modified));
        if (name == "parentFolderId")
            return view(user_.ids.folder(message_.folder));
        if (name == "isDraft")
            return message_.draft;
        if (name == "isRead")
            return message_.read;
        if (name == "changeKey")
            return view(change_key(message_));
        if (name == "flag") {
            return json::object{{"flagStatus", message_.flagged ? "flagged" : "notFlagged"}};
        }
        if (name == "importance")
            return "normal";
        if (name == "inferenceClassification")
            return "focused";
        if (name == "isDeliveryReceiptRequested")
            return nullptr;
        if (name == "isReadReceiptRequested")
            return false;
        if (name == "categories" || name == "ccRecipients" || name == "bccRecipients" ||
            name == "replyTo") {
            return json::array();
        }
        if (name == "internetMessageHeaders")
            return transport_headers();
        if (name == "conversationId")
            return view(subject_tag("AAQkAGE1", 40));
        if (name == "conversationIndex")
            return view(subject_tag("AQHa", 20));
        if (name == "webLink") {
            return view("https://outlook.office365.example/owa/?ItemID=" +
                        percent_encode(Tenant::message_id(user_, message_, false)));
        }
        return from_content(name);
    }

private:
    const Summary& summary() {
        if (!summary_)
            summary_ = tenant_.contents().summary(message_.content, tenant_.owner(user_));
        return *summary_;
    }

    std::string subject_tag(std::string prefix, std::size_t length) {
        return std::move(prefix) + hex(sha256(summary().subject)).substr(0, length);
    }

    json::value from_content(std::string_view name) {
        if (name == "subject")
            return view(summary().subject);
        if (name == "internetMessageId")
            return text_or_null(summary().message_id);
        if (name == "hasAttachments")
            return summary().has_attachments;
        if (name == "sentDateTime")
            return view(iso_time(summary().sent));
        if (name == "from" || name == "sender") {
            return recipient(summary().from_name, summary().from_address);
        }
        if (name == "toRecipients") {
            return json::array{recipient(summary().to_name, summary().to_address)};
        }
        if (name == "bodyPreview")
            return view(valid_utf8(text().substr(0, 255)));
        if (name == "body") {
            for (const std::string_view type : {"text/html", "text/plain"}) {
                if (const auto content = body_part(type)) {
                    return json::object{{"contentType", type == "text/html" ? "html" : "text"},
                                        {"content", view(*content)}};
                }
            }
            return json::object{{"contentType", "text"}, {"content", ""}};
        }
        return nullptr;
    }

    // What was never transported has none.
    json::array transport_headers() {
        json::array out;
        if (message_.draft || message_.content.sent_by_owner)
            return out;
        for (const auto& [name, value] : read_fields(front())) {
            out.push_back(
                json::object{{"name", view(valid_utf8(name))}, {"value", view(valid_utf8(value))}});
        }
        return out;
    }

    std::string front() {
        std::string mail(kBodyRoom, '\0');
        const auto source = tenant_.contents().open(message_.content, tenant_.owner(user_));
        std::size_t got = 0;
        while (source != nullptr && got < mail.size()) {
            const std::size_t part = source->read(mail.data() + got, mail.size() - got);
            if (part == 0)
                break;
            got += part;
        }
        mail.resize(got);
        return mail;
    }

    const std::string& text() {
        if (!text_) {
            text_ = body_part("text/plain").value_or("");
        }
        return *text_;
    }

    std::optional<std::string> body_part(std::string_view type) {
        const std::string mail = front();
        for (const MimePart& part : read_parts(mail)) {
            if (part.type == type && !part.is_attachment() && part.disposition != "inline")
                return valid_utf8(part.decoded());
        }
        return std::nullopt;
    }

    const Tenant& tenant_;
    const User& user_;
    const Message& message_;
    const MessageView how_;
    std::optional<Summary> summary_;
    std::optional<std::string> text_;
};

}  // namespace

std::span<const std::string_view> user_properties() {
    static const auto all = [] {
        std::vector<std::string_view> names(kUserProperties.begin(), kUserProperties.end());
        names.insert(names.end(), kMoreUserProperties.begin(), kMoreUserProperties.end());
        return names;
    }();
    return all;
}

std::span<const std::string_view> folder_properties() {
    return kFolderProperties;
}

std::span<const std::string_view> message_properties() {
    return kMessageProperties;
}

json::object user_json(const User& user, const Select& select) {
    json::object out;
    if (select.everything()) {
        for (const std::string_view name : kUserDefaults)
            out[view(name)] = user_property(user, name);
    } else {
        for (const std::string& name : select.names()) out[name] = user_property(user, name);
    }
    return out;
}

json::object folder_json(const User& user, const Folder& folder, const Select& select) {
    json::object out;
    if (folder.search)
        out["@odata.type"] = "#microsoft.graph.mailSearchFolder";
    const auto wanted = [&](std::string_view name) {
        return select.everything() || select.has(name);
    };
    std::size_t total = folder.items.size();
    std::uint32_t unread = folder.unread;
    if (folder.search && folder.parent != kNone) {
        const auto& items = user.folders[folder.parent].items;
        const auto shown = [&](std::uint32_t number) {
            return Tenant::in_search_folder(user.messages[number]);
        };
        total = static_cast<std::size_t>(std::count_if(items.begin(), items.end(), shown));
        unread = 0;
    }
    out["id"] = user.ids.folder(folder.number);
    if (wanted("displayName"))
        out["displayName"] = view(folder.name);
    if (wanted("parentFolderId")) {
        // The root's parent is the mailbox itself, which no listing shows.
        out["parentFolderId"] =
            user.ids.folder(folder.parent == kNone ? kMailboxItself : folder.parent);
    }
    if (wanted("childFolderCount")) {
        out["childFolderCount"] = Tenant::child_count(user, folder, false);
    }
    if (wanted("unreadItemCount"))
        out["unreadItemCount"] = unread;
    if (wanted("totalItemCount"))
        out["totalItemCount"] = total;
    if (select.everything() && folder.well_known == "inbox")
        out["sizeInBytes"] = 81920;
    if (wanted("isHidden"))
        out["isHidden"] = folder.hidden;
    if (folder.search && select.everything()) {
        out["isSupported"] = true;
        out["includeNestedFolders"] = false;
        out["sourceFolderIds"] =
            json::array{view(user.ids.folder(folder.parent == kNone ? 0 : folder.parent))};
        out["filterQuery"] = "contains(subject, 'weekly digest')";
    }
    return out;
}

std::string etag(const Message& message) {
    return "W/\"" + change_key(message) + "\"";
}

json::object message_json(const Tenant& tenant, const User& user, const Message& message,
                          const Select& select, const MessageView& how) {
    json::object out;
    const bool meeting = message.number % 37 == 11;
    if (meeting)
        out["@odata.type"] = "#microsoft.graph.eventMessageRequest";
    else if (how.delta)
        out["@odata.type"] = "#microsoft.graph.message";
    out["@odata.etag"] = etag(message);
    MessageWriter writer(tenant, user, message, how);
    if (select.everything()) {
        for (const std::string_view name : kMessageProperties) {
            if (name != "internetMessageHeaders")
                out[view(name)] = writer.property(name);
        }
    } else {
        for (const std::string& name : select.names()) out[name] = writer.property(name);
        out["id"] = writer.property("id");
    }
    return out;
}

}  // namespace graph_simulator
