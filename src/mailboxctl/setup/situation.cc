#include "mailboxctl/setup/situation.h"

#include <algorithm>

#include "base/strings.h"

namespace setup {

std::string Situation::fact(const std::string& name) const
{
    const auto found = facts.find(name);
    return found == facts.end() ? std::string{} : found->second;
}

std::string secret(const Machine& machine, const std::string& name)
{
    const auto text = machine.contents("/etc/mailboxd/" + name);
    return text ? text->substr(0, text->find('\n')) : "(new)";
}

bool is_at_least(const std::string& version, const std::string& other)
{
    const auto left = strings::words(version, "."), right = strings::words(other, ".");
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
        const auto number = [i](const std::vector<std::string>& parts) -> std::uint64_t {
            if (i >= parts.size()) return 0;
            const auto digits = parts[i].substr(0, parts[i].find_first_not_of("0123456789"));
            return strings::whole_number(digits).value_or(0);
        };
        if (number(left) != number(right)) return number(left) > number(right);
    }
    return true;
}

std::string port_obstacle(const Situation& situation, int port, const std::string& own_program)
{
    for (const auto& listener : situation.listeners) {
        // The helpers of a daemon have its socket, too: Dovecot's imap-login, Postfix's smtpd.
        if (listener.port != port || listener.programs.contains(own_program)
            || listener.programs.contains("systemd"))
            continue;
        const auto who =
            listener.programs.empty() ? std::string{"another program"} : *listener.programs.begin();
        return "the port " + std::to_string(port) + " is used by " + who
               + ". Stop that program or move it to another port";
    }
    return {};
}

bool has_system_mail(const Machine& machine)
{
    if (!machine.names("/var/mail").empty()) return true;
    for (const auto& user : machine.names("/home")) {
        for (const char* folder : {"/Maildir", "/mail"}) {
            if (machine.exists("/home/" + user + folder)) return true;
        }
    }
    return false;
}

// --- templates ------------------------------------------------------------------------

std::map<std::string, std::string> templates(const Machine& machine, const std::string& folder)
{
    const auto path = "/usr/share/mailboxd/" + folder;
    std::map<std::string, std::string> all;
    for (const auto& file : machine.names(path)) {
        // A file's copy that an editor or dpkg has left is none.
        if (file.ends_with("~") || file.find(".dpkg-") != std::string::npos) continue;
        if (auto text = machine.contents(path + "/" + file)) all[file] = *std::move(text);
    }
    return all;
}

void add_templates(Plan& plan, const Situation& situation, const std::string& part,
                   const std::string& folder, const std::string& target, const Access& access,
                   const std::string& unit, const std::function<fill_in::Values()>& values,
                   bool& is_changed)
{
    const auto all = templates(situation.machine, folder);
    if (all.empty())
        plan.obstacles.push_back("/usr/share/mailboxd/" + folder
                                 + " has no files. Install mailboxctl again: apt-get install "
                                   "--reinstall mailboxctl");
    for (const auto& [file, text] : all) {
        ManagedFile managed{target + "/" + file, part, access};
        managed.unit = unit;
        managed.text = [&situation, text = text, values](const std::string&) {
            return for_host(fill_in::filled(text, values()), situation);
        };
        if (add_file(plan, situation.machine, situation.journal, situation.options, managed,
                     situation.secrets))
            is_changed = true;
    }
}

std::string for_host(std::string text, const Situation& situation)
{
    const auto& host = situation.options.db_host;
    if (host.empty()) return text;
    const auto socket = "unix:" + host;
    for (auto at = text.find(socket); at != std::string::npos; at = text.find(socket, at))
        text.replace(at, socket.size(), host);
    return text;
}

// --- programs and units ---------------------------------------------------------------

void add_check(Plan& plan, std::string_view part, const std::vector<std::string>& words)
{
    plan.add(Phase::check, Kind::run, part, strings::joined(words, " "), [words](Work& work) {
        const auto ended = work.machine.run(words);
        if (ended.is_well()) return;
        const auto said = ended.err.empty() ? ended.said() : ended.err;
        throw Rejected("'" + strings::joined(words, " ") + "' refuses what setup has written: "
                       + strings::joined(strings::words(said, "\n"), "; "));
    });
}

void add_restart(Plan& plan, Situation& situation, std::string_view part, const std::string& unit,
                 const std::string& verb, bool is_changed)
{
    const auto& machine = situation.machine;
    // --undo leaves a daemon as it was.
    if (machine.has_systemd() && situation.journal.files().empty())
        situation.decided("unit " + unit, [&] {
            const bool runs = machine.run({"systemctl", "--quiet", "is-active", unit}).is_well();
            const auto enabled = machine.run({"systemctl", "is-enabled", unit}).said();
            return !runs && enabled == "disabled" ? "stopped" : "in use";
        });
    bool is_wanted = is_changed || situation.journal.waiting().contains(unit);
    if (!is_wanted && machine.has_systemd())
        is_wanted = !machine.run({"systemctl", "--quiet", "is-active", unit}).is_well()
                    || !machine.run({"systemctl", "--quiet", "is-enabled", unit}).is_well();
    // Without systemd nobody knows whether the unit runs; a first run tells to start it.
    if (!machine.has_systemd() && situation.journal.files().empty()) is_wanted = true;
    if (!is_wanted) return;
    plan.add(Phase::restart, Kind::restart, part, unit,
             [unit, verb](Work& work) { restart(work, unit, verb); });
}

void restart(Work& work, const std::string& unit, const std::string& verb)
{
    if (!work.machine.has_systemd()) {
        work.notes.push_back("systemd does not run here, so restart " + unit + " yourself");
        return;
    }
    const auto& machine = work.machine;
    machine.run({"systemctl", "--quiet", "enable", unit});
    machine.run({"systemctl", "reset-failed", unit});
    const auto ended = machine.run({"systemctl", verb, unit});
    const bool is_active = machine.run({"systemctl", "--quiet", "is-active", unit}).is_well();
    if (ended.is_well() && is_active) return;
    const auto log =
        machine.run({"journalctl", "--unit", unit, "--lines=5", "--no-pager", "--output=cat"});
    throw Rejected("'systemctl " + verb + " " + unit + "' failed: "
                   + strings::joined(strings::words(ended.said() + "\n" + log.out, "\n"), "; "));
}

}  // namespace setup
