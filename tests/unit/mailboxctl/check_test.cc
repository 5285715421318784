// check_test.cc - what `mailboxctl check` finds, and that it finds nothing where nothing is wrong.

#include "mailboxctl/check/check.h"
#include "mailboxctl/check/cluster.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

#include "db/accounts.h"
#include "db/migrate.h"
#include "db/rights.h"
#include "support/database.h"
#include "support/support.h"

namespace data = boost::unit_test::data;

namespace {

// In the service's place: says the same to whoever connects.
class Answering {
public:
    Answering(const std::string& path, const char* answer)
        : listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}
    {
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        BOOST_TEST_REQUIRE(
            ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        BOOST_TEST_REQUIRE(::listen(listener_, 10) == 0);
        thread_ = std::thread{[listener = listener_, answer] {
            for (int connection = 0; (connection = ::accept(listener, nullptr, nullptr)) >= 0;
                 ::close(connection)) {
                std::array<char, 4096> request{};
                if (::recv(connection, request.data(), request.size(), 0) > 0)
                    ::send(connection, answer, std::strlen(answer), MSG_NOSIGNAL);
            }
        }};
    }
    ~Answering()
    {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    Answering(const Answering&) = delete;
    Answering& operator=(const Answering&) = delete;

private:
    int listener_;
    std::thread thread_;
};

struct House {
    // The points that are not well, one line each; empty when it says that all are.
    std::string wrong(Config config)
    {
        if (config.socket == Config{}.socket) config.socket = sockets.path("mailboxd.sock");
        std::ostringstream out;
        const bool is_well = check::run(config, out);
        std::istringstream lines{out.str()};
        std::string found;
        all.clear();
        points = 0;
        for (std::string line; std::getline(lines, line); ++points) {
            all += line + "\n";
            if (line.starts_with("WRONG ")) found += line + "\n";
            else
                BOOST_TEST((line.starts_with("ok ") || line.starts_with("note ")
                            || line.starts_with("? ")),
                           line);
        }
        BOOST_TEST(is_well == found.empty());
        return found;
    }
    std::string wrong() { return wrong(database.config()); }
    // The database's user as another program's, too, with its password in a file.
    Config with_user(Config::Database Config::*program) const
    {
        auto config = database.config();
        auto& user = config.*program = config.db;
        if (user.password_file.empty()) user.password_file = sockets.write("password", "\n");
        std::filesystem::permissions(user.password_file, std::filesystem::perms{0600});
        return config;
    }

    support::Directory sockets;
    Answering service{sockets.path("mailboxd.sock"), "Alive"};
    database::Database database;
    database::Tenant tenant{database};
    int points = 0;
    std::string all;  // that it said
};

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(check)

BOOST_FIXTURE_TEST_CASE(all_is_well, House)
{
    BOOST_TEST(wrong() == "");
    BOOST_TEST(points >= 5);
    database::Tenant empty{database};
    tenant.store.create(tenant.grant(), {tenant.mailbox("alice"), tenant.mailbox("bob")},
                        tenant.actor);
    tenant.store.remove(tenant.grant(), tenant.address("alice"), tenant.actor);
    BOOST_TEST(wrong() == "");
}

BOOST_FIXTURE_TEST_CASE(it_only_reads, House)
{
    tenant.store.create(tenant.grant(), {tenant.mailbox("alice")}, tenant.actor);
    const database::User user{database, "'x'"};
    const support::Directory directory;
    auto config = database.config();
    config.db.user = config.ctl_db.user = user.name();
    config.db.password_file = config.ctl_db.password_file = directory.write("password", "x\n");
    std::filesystem::permissions(config.db.password_file, std::filesystem::perms::owner_read);
    const auto found = wrong(config);
    // What it lacks is what it was not given: to write.
    BOOST_TEST(has(found, "WRONG    rights of the service: "), found);
    BOOST_TEST(has(found, "WRONG    rights of mailboxctl: "), found);
    BOOST_TEST(has(found, "WRONG    triggers: UPDATE command denied"), found);
    BOOST_TEST(std::count(found.begin(), found.end(), '\n') == 3, found);
}

BOOST_FIXTURE_TEST_CASE(weak_hashes_are_told, House)
{
    tenant.store.create(tenant.grant(),
                        {tenant.mailbox("alice", "{SHA512-CRYPT}$6$x"),
                         tenant.mailbox("bob", "{ARGON2ID}$argon2id$x")},
                        tenant.actor);
    BOOST_TEST(wrong() == "");
    BOOST_TEST(has(all, "ok       password hashes\n"), all);
    tenant.store.create(tenant.grant(), {tenant.mailbox("carol", "{MD5-CRYPT}$1$x")}, tenant.actor);
    BOOST_TEST(wrong() == "");
    BOOST_TEST(has(all, "note     password hashes: 1 mailboxes have a weak password hash"), all);
    tenant.store.create(tenant.grant(), {tenant.mailbox("dora", "{LANMAN}x")}, tenant.actor);
    BOOST_TEST(wrong() == "");
    BOOST_TEST(has(all, "note     password hashes: 1 mailboxes have a password hash that Dovecot"),
               all);
}

BOOST_FIXTURE_TEST_CASE(rights_that_nobody_needs_are_told, House)
{
    BOOST_TEST(wrong() == "");  // of the tests' own user, who may do everything
    BOOST_TEST(
        has(all, "note     rights of the service: it has more rights than it needs, for example "),
        all);
    const auto of_service =
        rights::difference(*std::make_unique<db::Connection>(database.config().db,
                                                             database.config().db.password(),
                                                             database.config()),
                           "mailboxd_api")
            .excess;
    const auto has_right = [&](const char* right) {
        return std::find(of_service.begin(), of_service.end(), right) != of_service.end();
    };
    for (const char* right :
         {"DELETE on audit_log", "UPDATE (local_part) on mailbox", "DELETE on mailbox_usage"})
        BOOST_TEST(has_right(right), right);
    for (const char* right : {"DELETE on mailbox", "SELECT (at) on audit_log",
                              "SELECT (password) on mailbox", "UPDATE (creations) on account"})
        BOOST_TEST(!has_right(right), right);
}

BOOST_FIXTURE_TEST_CASE(secrets_are_not_everybodys, House)
{
    const support::Directory directory;
    auto config = database.config();
    config.doveadm_key_file = directory.write("key", "x\n");
    std::filesystem::permissions(config.doveadm_key_file, std::filesystem::perms{0640});
    BOOST_TEST(wrong(config) == "");
    std::filesystem::permissions(config.doveadm_key_file, std::filesystem::perms{0644});
    BOOST_TEST(has(wrong(config), "WRONG    secrets: " + config.doveadm_key_file
                                      + " is readable by every user: chmod o= "));
    std::filesystem::permissions(config.doveadm_key_file, std::filesystem::perms{0602});
    BOOST_TEST(has(wrong(config), "WRONG    secrets: " + config.doveadm_key_file
                                      + " is writable by every user: chmod o= "));
    std::filesystem::permissions(config.doveadm_key_file, std::filesystem::perms{0600});
    BOOST_TEST(wrong(config) == "");
    BOOST_TEST(has(all, "ok       secrets\n"), all);
}

BOOST_FIXTURE_TEST_CASE(those_of_dovecot_and_postfix_are_secrets_too, House)
{
    const support::Directory directory;
    const auto file = directory.write("password", "x\n");
    for (const auto database_of : {&Config::dovecot_db, &Config::postfix_db}) {
        auto config = database.config();
        (config.*database_of).password_file = file;
        std::filesystem::permissions(file, std::filesystem::perms{0644});
        BOOST_TEST(has(wrong(config), "WRONG    secrets: " + file + " is readable by every user"),
                   all);
    }
}

BOOST_FIXTURE_TEST_CASE(a_secret_of_many_is_told, House,
                        *boost::unit_test::precondition([](auto) { return ::geteuid() == 0; }))
{
    constexpr gid_t kOfNobody = 65'534;
    const support::Directory directory;
    auto config = database.config();
    config.doveadm_key_file = directory.write("key", "x\n");
    std::filesystem::permissions(config.doveadm_key_file, std::filesystem::perms{0640});
    BOOST_TEST_REQUIRE(::chown(config.doveadm_key_file.c_str(), 0, kOfNobody) == 0);
    BOOST_TEST(wrong(config) == "");
    BOOST_TEST(
        has(all,
            "note     secrets: " + config.doveadm_key_file
                + " is readable by its group, which has other members than its owner: chmod g= "),
        all);
    BOOST_TEST_REQUIRE(::chown(config.doveadm_key_file.c_str(), kOfNobody, kOfNobody) == 0);
    BOOST_TEST(wrong(config) == "");
    BOOST_TEST(has(all, "note     secrets: "), all);  // of other users, too
    std::filesystem::permissions(config.doveadm_key_file, std::filesystem::perms{0600});
    BOOST_TEST(wrong(config) == "");
    BOOST_TEST(has(all, "ok       secrets\n"), all);
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_looked_at_is_not_well, House)
{
    const support::Directory directory;
    auto config = database.config();
    std::filesystem::create_directory(directory.path("closed"));
    config.doveadm_key_file = directory.write("closed/key", "x\n");
    std::filesystem::permissions(directory.path("closed"), std::filesystem::perms::none);
    const bool is_root = ::geteuid() == 0;
    if (is_root) BOOST_TEST_REQUIRE(::seteuid(65'534) == 0);
    std::ostringstream out;
    check::run(config, out);
    if (is_root) BOOST_TEST_REQUIRE(::seteuid(0) == 0);
    std::filesystem::permissions(directory.path("closed"), std::filesystem::perms::owner_all);
    BOOST_TEST(has(out.str(), "?        secrets: " + config.doveadm_key_file
                                  + " cannot be examined: run this as root\n"),
               out.str());
}

BOOST_FIXTURE_TEST_CASE(who_writes_the_configuration_chooses_the_database, House)
{
    const support::Directory directory;
    auto config = database.config();
    config.path = directory.write("mailboxd.conf", "");
    for (const auto& [mode, mark] :
         {std::pair{0644U, "ok"}, {0664U, "WRONG"}, {0646U, "WRONG"}, {0600U, "ok"}}) {
        std::filesystem::permissions(config.path, std::filesystem::perms{mode});
        const auto found = wrong(config);
        BOOST_TEST(
            has(found, "WRONG    secrets: " + config.path + " is writable by others than its owner")
                == (mark == std::string{"WRONG"}),
            mode << found);
    }
}

BOOST_FIXTURE_TEST_CASE(a_service_that_does_not_answer_is_missed, House)
{
    auto config = database.config();
    for (const auto socket : {&Config::socket, &Config::write_socket}) {
        config = database.config();
        config.*socket = sockets.path("absent.sock");
        BOOST_TEST(
            has(wrong(config), "WRONG    service: " + config.*socket
                                   + ": No such file or directory: mailboxd is not running: "),
            all);
        BOOST_TEST(has(all, "systemctl start mailboxd.socket"));
    }
    const Answering mute{sockets.path("mute.sock"), ""};
    config.write_socket = sockets.path("mute.sock");
    BOOST_TEST(has(wrong(config), "WRONG    service: " + config.write_socket + " does not answer"),
               all);
    config.write_socket = sockets.path("mailboxd.sock");
    BOOST_TEST(wrong(config) == "");
}

struct Loss : support::Row {
    std::string statement;
    std::string says;
};

const Loss kLosses[] = {
    {"two of an address",
     "ALTER TABLE mailbox DROP KEY mailbox_address, ADD KEY mailbox_address (domain_id, local_part)",
     "mailbox has lost the unique key (domain_id, local_part), "},
    {"two domains of a name", "ALTER TABLE domain DROP KEY domain_name, ADD KEY domain_name (name)",
     "domain has lost the unique key (name), "},
    {"no transactions", "ALTER TABLE session_end ENGINE = MyISAM",
     "session_end uses the engine MyISAM, "},
};

BOOST_DATA_TEST_CASE_F(House, tables_are_as_the_migrations_make_them, data::make(kLosses), row)
{
    BOOST_TEST(wrong() == "");
    database.run(row.statement);
    BOOST_TEST(has(wrong(), "WRONG    tables: " + row.says), all);
    BOOST_TEST(has(all, ": ALTER TABLE " + row.says.substr(0, row.says.find(' ')) + " "), all);
}

BOOST_FIXTURE_TEST_CASE(a_key_of_another_name_is_as_good, House)
{
    database.run(
        "ALTER TABLE mailbox DROP KEY mailbox_address, ADD UNIQUE KEY another (domain_id, local_part)");
    BOOST_TEST(wrong() == "");
}

BOOST_FIXTURE_TEST_CASE(a_function_that_is_lost_is_missed, House)
{
    const auto config = with_user(&Config::postfix_db);
    BOOST_TEST(wrong(config) == "");
    database.run("DROP FUNCTION submission_count");
    BOOST_TEST(
        has(wrong(config),
            "WRONG    rights of Postfix: the function submission_count is not there or may not be called: "),
        all);
}

BOOST_FIXTURE_TEST_CASE(triggers_that_are_lost_are_missed, House)
{
    BOOST_TEST(wrong() == "");
    const auto version =
        database.number("SELECT version FROM domain WHERE id = ?", {tenant.domain_id});
    database.run("DROP TRIGGER domain_changed");
    BOOST_TEST(has(wrong(), "WRONG    triggers: "));
    BOOST_TEST(database.number("SELECT version FROM domain WHERE id = ?", {tenant.domain_id})
               == version);
}

const std::string kOfNames[] = {"mailbox_inserts", "mailbox_deleted", "mailbox_size_taken"};

BOOST_DATA_TEST_CASE_F(House, triggers_of_names_too, data::make(kOfNames), trigger)
{
    const auto rows = [&] {
        return database.number(
            "SELECT (SELECT COUNT(*) FROM mailbox) + (SELECT COUNT(*) FROM suspended_name)");
    };
    const auto before = rows();
    BOOST_TEST(wrong() == "");
    database.run("DROP TRIGGER " + trigger);
    BOOST_TEST(has(wrong(), "WRONG    triggers: the trigger " + trigger + " is missing, "), all);
    BOOST_TEST(rows() == before);
}

const std::string kOfSizes[] = {"mailbox_usage_inserts", "mailbox_usage_inserted",
                                "mailbox_usage_updates", "mailbox_usage_updated", "mailbox_sized"};

// Whether or not the mailbox has had a size.
BOOST_DATA_TEST_CASE_F(House, triggers_of_sizes_too,
                       data::make(kOfSizes) * data::make({false, true}), trigger, has_size)
{
    const auto config = with_user(&Config::dovecot_db);
    BOOST_TEST(wrong(config) == "");
    tenant.store.create(tenant.grant(), {tenant.mailbox("alice")}, tenant.actor);
    if (has_size) {
        database.execute(
            "INSERT INTO mailbox_usage (username, bytes, messages) VALUES (CONCAT(?, '@', ?), 700, 1)",
            {tenant.storage_id("alice"), tenant.domain.name()});
    }
    const auto rows = [&] {
        return database.text(
            "SELECT CONCAT_WS(' ', m.size_bytes, d.version, u.username, u.bytes) FROM domain d JOIN mailbox m ON m.domain_id = d.id"
            " LEFT JOIN mailbox_usage u ON u.storage_id = m.storage_id");
    };
    const auto before = rows();
    BOOST_TEST(wrong(config) == "");
    BOOST_TEST(has(all, "ok       triggers\n"), all);
    database.run("DROP TRIGGER " + trigger);
    BOOST_TEST(has(wrong(config), "WRONG    triggers: the trigger " + trigger + " is missing, "),
               all);
    BOOST_TEST(rows() == before);
}

struct OfNode : support::Row {
    check::NodeStatus differs;  // from a node that is in order
    const char* says;           // empty: in order
};

const OfNode kNodes[] = {
    {{"in order"}, {}, ""},
    {{"no node of a cluster"}, {{"wsrep_on", "OFF"}, {"wsrep_slave_threads", "8"}}, ""},
    {{"gives its data to a new one"}, {{"wsrep_local_state_comment", "Donor/Desynced"}}, ""},
    {{"alone"}, {{"wsrep_cluster_status", "non-Primary"}, {"wsrep_cluster_size", "1"}}, "majority"},
    {{"joins"}, {{"wsrep_local_state_comment", "Joiner"}}, "not in step"},
    {{"several appliers"}, {{"wsrep_slave_threads", "4"}}, "wsrep_slave_threads = 1"},
    {{"every session waits"}, {{"wsrep_sync_wait", "1"}}, "SET GLOBAL wsrep_sync_wait = 0"},
    {{"locks for numbers"}, {{"innodb_autoinc_lock_mode", "1"}}, "innodb_autoinc_lock_mode = 2"},
    {{"one is missing"}, {{"wsrep_cluster_size", "2"}}, "start the missing one"},
};

BOOST_DATA_TEST_CASE(a_node_of_a_cluster, data::make(kNodes), row)
{
    check::NodeStatus node{{"wsrep_on", "ON"},
                           {"wsrep_ready", "ON"},
                           {"wsrep_cluster_size", "3"},
                           {"wsrep_cluster_status", "Primary"},
                           {"wsrep_local_state_comment", "Synced"},
                           {"wsrep_slave_threads", "1"},
                           {"wsrep_sync_wait", "0"},
                           {"innodb_autoinc_lock_mode", "2"}};
    for (const auto& [name, value] : row.differs) node[name] = value;
    const auto found = check::cluster(node);
    const std::string says = row.says;
    BOOST_TEST((found.verdict == (says.empty() ? check::Verdict::ok : check::Verdict::wrong)));
    BOOST_TEST(found.message.find(says) != std::string::npos, found.message);
}

BOOST_FIXTURE_TEST_CASE(a_key_of_the_operator_has_addresses, House)
{
    auto connection = database.connect();
    admin::Admin admin{connection};
    admin::NewKey wanted;
    wanted.addresses = {"192.0.2.0/24"};
    const auto id = admin.add_key(wanted).id();
    BOOST_TEST(wrong() == "");
    for (const std::string ranges : {"", "192.0.2.1 0.0.0.0/0", "::/0"}) {
        database.execute("UPDATE api_key SET addresses = NULLIF(?, '') WHERE id = ?", {ranges, id});
        BOOST_TEST(
            has(wrong(), "WRONG    keys of the operator: the key " + id + " of the operator "),
            all);
    }
    admin.revoke_key(id);
    BOOST_TEST(wrong() == "");
}

BOOST_FIXTURE_TEST_CASE(a_size_is_what_dovecot_told, House)
{
    tenant.store.create(tenant.grant(), {tenant.mailbox("alice")}, tenant.actor);
    database.execute(
        "INSERT INTO mailbox_usage (username, bytes, messages) VALUES (CONCAT(?, '@', ?), 700, 1)",
        {tenant.storage_id("alice"), tenant.domain.name()});
    BOOST_TEST(wrong() == "");
    database.run("UPDATE mailbox SET size_bytes = 77");
    const auto found = wrong();
    BOOST_TEST(has(found, "WRONG    sizes: alice@" + tenant.domain.name()
                              + " has size_bytes 77, but Dovecot reported 700: "),
               found);
}

BOOST_FIXTURE_TEST_CASE(a_binary_log_is_to_be_durable_too, House,
                        *boost::unit_test::precondition(database::is_private))
{
    if (database.number("SELECT @@log_bin") == 0)
        return;  // then it makes no difference, and the other tests show it
    const auto before = database.text("SELECT @@global.sync_binlog");
    database.run("SET GLOBAL sync_binlog = 0");
    const auto found = wrong();
    database.run("SET GLOBAL sync_binlog = " + before);
    BOOST_TEST(has(found, "sync_binlog = 1"), found);
}

namespace {

// A store beside the tables, with a folder for each mailbox that has had mail.
struct Stored : House {
    Stored()
    {
        tenant.store.create(tenant.grant(),
                            {tenant.mailbox("alice"), tenant.mailbox("bob"), tenant.mailbox("eve")},
                            tenant.actor);
        for (const char* name : {"alice", "eve"}) {
            database.execute(
                "INSERT INTO mailbox_usage (username, bytes, messages) VALUES (CONCAT(?, '@', ?), 700, 1)",
                {tenant.storage_id(name), tenant.domain.name()});
            std::filesystem::create_directories(folder(tenant.storage_id(name)));
        }
        eves = tenant.storage_id("eve");
        tenant.store.remove(tenant.grant(), tenant.address("eve"), tenant.actor);
        config.store = directory.path("mail");
        config.janitor_db = config.db;
    }
    std::string folder(const std::string& id) const
    {
        return directory.path("mail/" + id.substr(0, 2) + "/" + id);
    }

    support::Directory directory;
    Config config = database.config();
    std::string eves;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_kernels_limit_is_told, Stored)
{
    std::ifstream file{"/proc/sys/fs/inotify/max_user_instances"};
    std::int64_t instances = 0;
    BOOST_TEST_REQUIRE(static_cast<bool>(file >> instances));
    BOOST_TEST(wrong(config) == "");
    const std::string low =
        "note     kernel: fs.inotify.max_user_instances is " + std::to_string(instances) + ": ";
    BOOST_TEST(has(all, instances < 1024 ? low : "ok       kernel\n"), all);
    config.store.clear();
    BOOST_TEST(wrong(config) == "");
    BOOST_TEST(has(all, "?        kernel: skipped: "), all);
}

BOOST_FIXTURE_TEST_CASE(mail_is_where_it_belongs, Stored)
{
    BOOST_TEST(wrong(config) == "");
    BOOST_TEST(has(all, "ok       mail store\n"), all);
    std::filesystem::create_directories(folder("ab000000000000000000000000000000"));
    BOOST_TEST(wrong(config) == "");
    BOOST_TEST(
        has(all,
            "note     mail store: 1 folders belong to no mailbox, for example ab/ab000000000000000000000000000000: "),
        all);

    std::filesystem::remove(folder(tenant.storage_id("alice")));
    BOOST_TEST(
        has(wrong(config),
            "WRONG    mail store: 1 mailboxes have had mail but have no folder, for example alice@"
                + tenant.domain.name() + " ("),
        all);
    std::filesystem::create_directories(folder(tenant.storage_id("alice")));
    std::filesystem::remove(folder(eves));
    BOOST_TEST(
        has(wrong(config), "for example eve@" + tenant.domain.name() + ", which is deleted ("),
        all);
    std::filesystem::create_directories(folder(eves));
    const auto alices = folder(tenant.storage_id("alice"));
    for (const bool is_link : {false, true}) {
        std::filesystem::remove(alices);
        if (is_link) std::filesystem::create_directory_symlink("/etc", alices);
        else directory.write(std::filesystem::relative(alices, directory.path("")), "x");
        BOOST_TEST(has(wrong(config), "WRONG    mail store: " + alices + " must be a folder of "),
                   all);
    }
    std::filesystem::remove(alices);
    std::filesystem::create_directories(alices);
    BOOST_TEST(wrong(config) == "");
    database.run("INSERT INTO session_end (storage_id, since) VALUES ('', UNIX_TIMESTAMP() - 170)");
    BOOST_TEST(wrong(config) == "");
    database.run("UPDATE session_end SET since = UNIX_TIMESTAMP() - 190");
    BOOST_TEST(has(wrong(config), "WRONG    janitor: sessions should have ended 19"), all);
    database.run("DELETE FROM session_end");
    config.store = directory.path("absent");
    BOOST_TEST(
        has(wrong(config), "WRONG    mail store: " + config.store + ": No such file or directory"),
        all);
    config.store.clear();
    BOOST_TEST(wrong(config) == "");
    BOOST_TEST(has(all, "?        mail store: skipped: the setting store is missing\n"), all);
}

BOOST_FIXTURE_TEST_CASE(names_that_collide_are_told, House)
{
    BOOST_TEST(has((wrong(), all), "ok       names\n"), all);
    database.run("INSERT INTO account (name, created_at) VALUES ('operator', 0)");
    BOOST_TEST(wrong() == "");
    BOOST_TEST(
        has(all, "note     names: account operator has the name of an actor in the audit log"),
        all);
    database.run("UPDATE account SET name = 'plain' WHERE name = 'operator'");
    database.execute(
        "INSERT INTO domain (account_id, name, created_at) SELECT id, 'localhost', 0 FROM account WHERE name = ?",
        {"plain"});
    BOOST_TEST(wrong() == "");
    BOOST_TEST(has(all, "note     names: domain localhost could not be added today: "), all);
    database.run("UPDATE domain SET name = 'mailboxd' WHERE name = 'localhost'");
    BOOST_TEST(
        has(wrong(),
            "WRONG    names: domain mailboxd could not be added today: paths of the API and maps of Postfix use that word"),
        all);
    database.run("DELETE FROM domain WHERE name = 'mailboxd'");
    BOOST_TEST(wrong() == "");
}

BOOST_FIXTURE_TEST_CASE(a_name_that_people_write_and_the_tables_lack_is_told, House)
{
    database.execute("UPDATE domain SET name = 'xn--bcher-kva.example' WHERE id = ?",
                     {tenant.domain_id});
    BOOST_TEST(
        has(wrong(),
            "WRONG    names: the tables lack the Unicode form of domain xn--bcher-kva.example, "),
        all);
    auto connection = database.connect();
    std::ostringstream progress;
    BOOST_TEST(migrate::apply(connection, progress) == 0U);
    BOOST_TEST(wrong() == "");
    BOOST_TEST(
        database.text("SELECT HEX(unicode_name) FROM domain WHERE id = ?", {tenant.domain_id})
        == "62C3BC636865722E6578616D706C65");
    database.execute(
        "UPDATE domain SET name = 'xn--zzzz.example', unicode_name = NULL WHERE id = ?",
        {tenant.domain_id});
    BOOST_TEST(wrong() == "");  // no name that anybody could write
}

BOOST_FIXTURE_TEST_CASE(a_wrong_counter_is_named, House)
{
    database.execute("UPDATE domain SET mailboxes = 1 WHERE id = ?", {tenant.domain_id});
    BOOST_TEST(has(wrong(), "counts 1 mailboxes and has 0"));
    database.execute("UPDATE domain SET mailboxes = 0 WHERE id = ?", {tenant.domain_id});
    BOOST_TEST(wrong() == "");
    tenant.store.create(tenant.grant(), {tenant.mailbox("alice")}, tenant.actor);
    database.execute("UPDATE domain SET mailboxes = 5 WHERE id = ?", {tenant.domain_id});
    const auto found = wrong();
    BOOST_TEST(has(found, tenant.domain.name()), found);
    BOOST_TEST(has(found, "counts 5 mailboxes and has 1"), found);
}

struct Slip : support::Row {
    const char* statement;
};

const Slip kSlips[] = {
    {"a range counts one too many", "UPDATE mailbox_range SET mailboxes = mailboxes + 1"},
    {"a fine range counts one too many",
     "UPDATE mailbox_range SET counts = CONCAT(CHAR(3), SUBSTR(counts, 2))"},
    {"a fine range counts none",
     "UPDATE mailbox_range SET counts = CONCAT(CHAR(0), SUBSTR(counts, 2))"},
    {"one that is empty counts", "UPDATE mailbox_range SET counts = CONCAT(counts, CHAR(1))"},
    {"no range", "DELETE FROM mailbox_range"},
    {"all of it in the next range", "UPDATE mailbox_range SET number = number + 1"},
};

BOOST_DATA_TEST_CASE_F(House, wrong_counts_of_ranges_are_named, data::make(kSlips), row)
{
    tenant.store.create(tenant.grant(), {tenant.mailbox("alice"), tenant.mailbox("bob")},
                        tenant.actor);
    BOOST_TEST(wrong() == "");
    database.run(row.statement);
    BOOST_TEST(has(wrong(), "the range counts of domain " + tenant.domain.name()), wrong());
}

BOOST_FIXTURE_TEST_CASE(the_schema_is_this_programs, House)
{
    database.run("INSERT INTO schema_version VALUES (9999, 'future', 1)");
    BOOST_TEST(has(wrong(), "schema: the database has schema version 9999"));
    BOOST_TEST(has(wrong(), "programs of the release"));
    database.run("DELETE FROM schema_version");
    const auto found = wrong();
    BOOST_TEST(has(found, "schema: the database has schema version 0, older than this program's "
                              + std::to_string(migrate::newest_version())),
               found);
    BOOST_TEST(has(found, "mailboxctl migrate"), found);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_forgets_is_named, House,
                        *boost::unit_test::precondition(database::is_private))
{
    const auto before = database.text("SELECT @@global.innodb_flush_log_at_trx_commit");
    database.run("SET GLOBAL innodb_flush_log_at_trx_commit = 2");
    const auto found = wrong();
    database.run("SET GLOBAL innodb_flush_log_at_trx_commit = " + before);
    BOOST_TEST(has(found, "durability"), found);
    BOOST_TEST(has(found, "innodb_flush_log_at_trx_commit = 1"), found);
}

BOOST_FIXTURE_TEST_CASE(a_server_with_too_few_connections_is_named, House)
{
    const auto limit = static_cast<unsigned>(database.number("SELECT @@max_connections"));
    auto config = database.config();
    config.workers = limit / 2;
    BOOST_TEST(wrong(config) == "");
    BOOST_TEST(has(all, "note     server: the server's max_connections is " + std::to_string(limit)
                            + ", which is too few during a reload"),
               all);
    config.workers = limit;
    BOOST_TEST(has(wrong(config), "WRONG    server: the server's max_connections is "
                                      + std::to_string(limit)
                                      + ", and the service's workers alone need "),
               all);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_takes_no_changes_is_named, House,
                        *boost::unit_test::precondition(database::is_private))
{
    const database::User user{database, "'x'"};
    database.run("GRANT UPDATE ON " + database.name() + ".domain TO " + user.name());
    const support::Directory directory;
    auto config = database.config();
    config.db.user = user.name();
    config.db.password_file = directory.write("password", "x\n");
    std::filesystem::permissions(config.db.password_file, std::filesystem::perms::owner_read);
    database.run("SET GLOBAL read_only = 1");
    const auto found = wrong(config);
    database.run("SET GLOBAL read_only = 0");
    BOOST_TEST(has(found, "WRONG    server: "), found);
    BOOST_TEST(has(found, "read_only"), found);
}

BOOST_FIXTURE_TEST_CASE(one_user_alone_can_be_wrong, House)
{
    auto config = database.config();
    config.db.user = "absent_user";
    BOOST_TEST(has(wrong(config), "WRONG    database, as the service"));
    BOOST_TEST(!has(wrong(config), "database, as mailboxctl"));
    config = database.config();
    config.ctl_db.user = "absent_user";
    BOOST_TEST(has(wrong(config), "WRONG    database, as mailboxctl"));
    BOOST_TEST(!has(wrong(config), "database, as the service"));
    config = database.config();
    config.db.password_file = "/nonexistent/password";
    BOOST_TEST(has(wrong(config), "/nonexistent/password"));
}

BOOST_AUTO_TEST_CASE(without_a_server_nothing_is_well_and_nothing_is_thrown)
{
    const support::Directory directory;
    Config config;
    config.db.socket = config.ctl_db.socket = directory.path("absent.sock");
    std::ostringstream out;
    BOOST_TEST(!check::run(config, out));
    BOOST_TEST(has(out.str(), "WRONG "));
    BOOST_TEST(!has(out.str(), "ok       database"));
    const auto all = out.str();
    const auto first = all.find("absent.sock");
    BOOST_TEST(all.find("absent.sock", all.find('\n', first)) == std::string::npos,
               all);  // once is enough
    BOOST_TEST(has(all, "?        schema: skipped; see above"), all);
}

BOOST_AUTO_TEST_SUITE_END()
