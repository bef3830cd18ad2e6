#pragma once

#include <vector>

#include "catalog/database.hpp"
#include "catalog/event.hpp"

namespace openarchiver::catalog {

/// Takes what is no longer kept out of the tables, and marks the packs that still have its bytes:
/// `rewrite_by` is when it has to be out of them, too. Only for .cpp files; within the caller's
/// transaction; throws Poco::Exception.
class Removal {
public:
    explicit Removal(Poco::Data::Session& session) : session_(session) {}

    /// Versions of items. An item without any is marked with the row of the disposal.
    void items(Integer account, const std::vector<ItemsDisposed::Item>& items, Integer disposal,
               Integer rewrite_by);
    /// An account with everything in it.
    void account(Integer account, Integer rewrite_by);

    /// For a catalog that was filled from a log: the events of forgotten accounts, which can't be
    /// read any more, do not tell which packs have something of theirs.
    void mark_hollow_packs();

private:
    void make_lists();
    void contents(Integer account, Integer rewrite_by);
    void mark_packs(const char* having, Integer rewrite_by);

    Poco::Data::Session& session_;
};

}  // namespace openarchiver::catalog
