// nginx_part.cc - the API's site in nginx: a site of its own, or a line in the server that already
// has the host name.

#include <algorithm>
#include <regex>

#include "base/strings.h"
#include "mailboxctl/setup/nginx_text.h"
#include "mailboxctl/setup/situation.h"

namespace setup {
namespace {

constexpr const char* kSnippets = "/usr/share/mailboxd/nginx/";
constexpr const char* kAvailable = "/etc/nginx/sites-available/mailboxd";
constexpr const char* kEnabled = "/etc/nginx/sites-enabled/mailboxd";
constexpr const char* kConfD = "/etc/nginx/conf.d/mailboxd.conf";

void replace_all(std::string& text, std::string_view from, const std::string& to)
{
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

// What nginx serves already. The configuration's files are those that nginx itself names.
struct Nginx {
    std::string user = "www-data";
    std::string file_of_host;  // the file with the server of our host name; empty: none has it
    bool has_other_tls = false;
};

Nginx look_at_nginx(const Situation& situation)
{
    Nginx nginx;
    const auto& machine = situation.machine;
    const auto dump = machine.run({"nginx", "-T"}).out;
    static const std::regex heading{R"(# configuration file (/[^\n]+):\n)"};
    for (std::sregex_iterator file{dump.begin(), dump.end(), heading}, end; file != end; ++file) {
        const auto path = (*file)[1].str();
        if (path == kAvailable || path == kEnabled || path == kConfD || path.starts_with(kSnippets))
            continue;
        const auto text = machine.contents(path).value_or("");
        if (const auto user = nginx_text::directive(text, "user"); !user.empty()) nginx.user = user;
        for (const auto& server : nginx_text::servers(text)) {
            if (!server.has_tls()) continue;
            const auto& names = server.names;
            if (std::find(names.begin(), names.end(), situation.options.host) == names.end())
                nginx.has_other_tls = true;
            else
                nginx.file_of_host =
                    machine.link(path).empty()
                        ? path
                        : machine.run({"readlink", "-f", machine.real(path)}).said();
        }
    }
    return nginx;
}

// nginx before 1.25.1 has HTTP/2 as a word of `listen`, and then for every server at that port.
std::string with_http2(std::string site, const Situation& situation, bool has_other_tls)
{
    if (is_at_least(situation.nginx, "1.25.1")) return site;
    replace_all(site, "    http2 on;\n", "");
    if (!has_other_tls) replace_all(site, "443 ssl;", "443 ssl http2;");
    return site;
}

std::string site(const Situation& situation, bool has_other_tls)
{
    const auto& machine = situation.machine;
    auto text = machine.contents(std::string{kSnippets} + "mailboxd-site.conf").value_or("");
    text = std::regex_replace(text, std::regex{"/etc/letsencrypt/[^;]*/fullchain.pem"},
                              situation.certificate);
    text =
        std::regex_replace(text, std::regex{"/etc/letsencrypt/[^;]*/privkey.pem"}, situation.key);
    replace_all(text, "api.example.org;", situation.options.host + ";");
    return with_http2(text, situation, has_other_tls);
}

// For the server that is there: the definitions, and the server for monitors.
std::string definitions()
{
    const std::string snippets = kSnippets;
    return "include " + snippets
           + "mailboxd-http.conf;\n\n"
             "# Health checks, for this machine only.\nserver {\n    listen 127.0.0.1:8079;\n"
             "    include "
           + snippets + "mailboxd-health.conf;\n}\n";
}

class Files {
public:
    Files(Plan& plan, const Situation& situation) : plan_{plan}, situation_{situation} {}
    void add(ManagedFile file)
    {
        file.unit = "nginx.service";
        is_changed_ = add_file(plan_, situation_.machine, situation_.journal, situation_.options,
                               file, situation_.secrets)
                      || is_changed_;
    }
    bool is_changed() const { return is_changed_; }

private:
    Plan& plan_;
    const Situation& situation_;
    bool is_changed_ = false;
};

void add_beside(Files& files, const Situation& situation)
{
    ManagedFile http{kConfD, "nginx", {}};
    http.text = [](const std::string&) { return definitions(); };
    files.add(http);
    ManagedFile server{situation.fact("nginx-server"), "nginx", {}, ManagedFile::Owner::shared};
    server.text = [&situation](const std::string& original) {
        return nginx_text::with_line(original, situation.options.host,
                                     "include " + std::string{kSnippets}
                                         + "mailboxd-location.conf;");
    };
    files.add(server);
}

void add_site(Files& files, const Situation& situation)
{
    const bool has_sites = situation.will_be_installed("nginx")
                           || situation.machine.exists("/etc/nginx/sites-enabled");
    ManagedFile file{has_sites ? kAvailable : kConfD, "nginx", {}};
    file.text = [&situation](const std::string&) {
        return site(situation, situation.fact("nginx-tls") == "others");
    };
    files.add(file);
    if (!has_sites) return;
    ManagedFile link{kEnabled, "nginx", {}};
    link.link = "../sites-available/mailboxd";
    files.add(link);
}

// The sockets of the service belong to nginx's user.
bool add_socket_user(Plan& plan, const Situation& situation)
{
    const auto user = situation.fact("nginx-user");
    if (user.empty() || user == "www-data" || !situation.options.has("service")) return false;
    bool has_changed = false;
    for (const std::string unit : {"mailboxd.socket", "mailboxd-metrics.socket"}) {
        ManagedFile file{"/etc/systemd/system/" + unit + ".d/setup.conf", "service", {}};
        file.text = [user](const std::string&) {
            return "# nginx runs as this user.\n[Socket]\nSocketUser=" + user + "\n";
        };
        has_changed |= add_file(plan, situation.machine, situation.journal, situation.options, file,
                                situation.secrets);
    }
    return has_changed;
}

}  // namespace

void add_nginx(Plan& plan, Situation& situation)
{
    const auto& machine = situation.machine;
    if (!situation.options.has("nginx")) return;
    // Debian's default site has port 80, and without it the package does not get installed.
    if (situation.will_be_installed("nginx")) {
        if (const auto reason = port_obstacle(situation, 80, "nginx"); !reason.empty())
            plan.obstacles.push_back("nginx cannot be installed: " + reason);
    }
    for (const int port : {443, 8079}) {
        if (const auto reason = port_obstacle(situation, port, "nginx"); !reason.empty())
            plan.obstacles.push_back("nginx cannot serve the API: " + reason);
    }
    if (!situation.will_be_installed("nginx") && !machine.exists("/usr/sbin/nginx")) return;
    if (!situation.will_be_installed("nginx")) {
        const auto tested = machine.run({"nginx", "-t"});
        if (!tested.is_well() && situation.journal.files().empty()) {
            plan.obstacles.push_back("nginx refuses its present configuration. Correct it first: "
                                     + strings::joined(strings::words(tested.said(), "\n"), "; "));
            return;
        }
        const auto nginx = look_at_nginx(situation);
        situation.decided("nginx-server", [&] { return nginx.file_of_host; });
        situation.decided("nginx-tls", [&] { return nginx.has_other_tls ? "others" : "none"; });
        situation.decided("nginx-user", [&] { return nginx.user; });
    } else {
        // The package that will be installed has no other server.
        situation.facts["nginx-server"] = "";
        situation.facts["nginx-tls"] = "none";
        situation.facts["nginx-user"] = "www-data";
    }
    Files files{plan, situation};
    if (situation.fact("nginx-server").empty()) add_site(files, situation);
    else add_beside(files, situation);
    if (add_socket_user(plan, situation))
        add_restart(plan, situation, "service", "mailboxd.socket", "restart", true);
    const auto before = plan.steps.size();
    add_restart(plan, situation, "nginx", "nginx.service", "reload-or-restart", files.is_changed());
    if (plan.steps.size() > before) add_check(plan, "nginx", {"nginx", "-t"});
}

}  // namespace setup
