// systems.h - the mail systems whose tables can be imported; one source file for each.
//
// A system says which tables it needs and what they mean. Without I/O: the rows were read before.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "mailboxctl/source_tables.h"
#include "mailboxctl/translation.h"

namespace systems {

struct System {
    std::string_view name;  // as an operator writes it: postfixadmin
    std::vector<source_tables::Wanted> wanted;
    void (*translate)(const source_tables::Tables& tables, translation::Translation& to);
    // Why its mail files cannot be taken over as they are; empty: they can.
    std::string_view obstacle_to_adoption = {};
    bool has_servers = false;  // several servers in one database
    // Whether the Maildirs in its tables have absolute paths, so that --mail-root may be left out.
    bool has_absolute_paths = true;
};

// The table alias_domain, which PostfixAdmin, mailcow and iRedMail have alike: alias_domain stands
// for target_domain.
source_tables::Wanted alias_domain_table();
void alias_domains(const source_tables::Tables& tables, translation::Translation& to);

const System& postfixadmin();
const System& vimbadmin();
const System& mailcow();
const System& iredmail();
const System& ispconfig();

// All of them, in the order of their names.
std::span<const System* const> all();
// Returns null if there is no such system.
const System* find(std::string_view name);

}  // namespace systems
