// certificate_part.cc - the certificate for the server's name: one that is there, one of Let's
// Encrypt, or a self-signed one.

#include "mailboxctl/setup/situation.h"

namespace setup {
namespace {

std::string live(const std::string& host)
{
    return "/etc/letsencrypt/live/" + host;
}

// Returns what is wrong with the files; empty if they can be used.
std::string obstacle(const Situation& situation)
{
    const auto& machine = situation.machine;
    for (const auto& file : {situation.certificate, situation.key}) {
        if (!machine.exists(file))
            return file + " is missing. Name the files with --certificate FILE --key FILE";
    }
    const auto certificate = machine.real(situation.certificate), key = machine.real(situation.key);
    const auto of_certificate =
        machine.run({"openssl", "x509", "-in", certificate, "-noout", "-pubkey"});
    const auto of_key = machine.run({"openssl", "pkey", "-in", key, "-pubout"});
    if (!of_certificate.is_well())
        return situation.certificate + " has no certificate in PEM format. Name another file";
    if (!of_key.is_well())
        return situation.key
               + " has no private key in PEM format, or one with a passphrase. Name another file";
    if (of_certificate.out != of_key.out)
        return "the key " + situation.key + " does not belong to the certificate "
               + situation.certificate + ". Name the files that belong together";
    const auto host = machine.run(
        {"openssl", "x509", "-in", certificate, "-noout", "-checkhost", situation.options.host});
    if (host.out.find("does match") == std::string::npos)
        return "the certificate " + situation.certificate + " is not for " + situation.options.host
               + ". Name one that is, or another --host";
    const auto expiry =
        machine.run({"openssl", "x509", "-in", certificate, "-noout", "-checkend", "0"});
    if (!expiry.is_well())
        return "the certificate " + situation.certificate + " has expired. Renew it first";
    return {};
}

void make_self_signed(Work& work, const Situation& situation)
{
    const auto& machine = work.machine;
    if (machine.exists(situation.certificate) && machine.exists(situation.key)) return;
    machine.write(situation.key, "", {0600, "root", "root"});
    const auto ended = machine.run(
        {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365", "-subj",
         "/CN=" + work.options.host, "-addext", "subjectAltName=DNS:" + work.options.host,
         "-keyout", machine.real(situation.key), "-out", machine.real(situation.certificate)});
    if (!ended.is_well()) throw Rejected("openssl cannot make a certificate: " + ended.said());
    machine.set_access(situation.certificate, {0644, "root", "root"});  // whatever the umask is
}

void ask_lets_encrypt(Work& work)
{
    const auto& host = work.options.host;
    const auto& machine = work.machine;
    bool is_answered = false;
    for (const auto& listener : machine.listeners())
        is_answered = is_answered || listener.port == 80;
    std::vector<std::string> words{"certbot",     "certonly", "--non-interactive",
                                   "--agree-tos", "--email",  work.options.certbot,
                                   "--domain",    host};
    if (is_answered) words.insert(words.end(), {"--webroot", "--webroot-path", "/var/www/html"});
    else words.emplace_back("--standalone");
    const auto ended = machine.run(words);
    if (!ended.is_well())
        throw Rejected("certbot got no certificate for " + host + ": " + ended.said()
                       + ". Port 80 must be reachable from outside");
}

constexpr const char* kHook = R"(#!/bin/sh
# The daemons read a new certificate when they are reloaded.
for unit in nginx dovecot postfix; do systemctl --quiet is-active $unit && systemctl reload $unit; done
exit 0
)";

void add_lets_encrypt(Plan& plan, Situation& situation)
{
    const auto folder = live(situation.options.host);
    situation.certificate = folder + "/fullchain.pem";
    situation.key = folder + "/privkey.pem";
    if (!situation.machine.exists(situation.certificate))
        plan.add(Phase::create, Kind::create, "certificate",
                 "a certificate of Let's Encrypt for " + situation.options.host + ", in " + folder,
                 ask_lets_encrypt);
}

// Whoever asked for the certificate: after a renewal the daemons must read it again.
void add_hook(Plan& plan, const Situation& situation)
{
    if (!situation.certificate.starts_with("/etc/letsencrypt/live/")) return;
    ManagedFile hook{
        "/etc/letsencrypt/renewal-hooks/deploy/mailboxd", "certificate", {0755, "root", "root"}};
    hook.text = [](const std::string&) { return std::string{kHook}; };
    add_file(plan, situation.machine, situation.journal, situation.options, hook,
             situation.secrets);
}

bool is_self_signed(const Situation& situation)
{
    const auto names = [&](const char* which) {
        const auto said = situation.machine
                              .run({"openssl", "x509", "-in",
                                    situation.machine.real(situation.certificate), "-noout", which})
                              .out;
        return said.substr(said.find('=') + 1);
    };
    return names("-issuer") == names("-subject");
}

void add_self_signed(Plan& plan, Situation& situation)
{
    const auto& host = situation.options.host;
    situation.certificate = "/etc/ssl/certs/" + host + ".pem";
    situation.key = "/etc/ssl/private/" + host + ".key";
    const bool is_there = situation.machine.exists(situation.certificate);
    if (is_there) {
        if (const auto reason = obstacle(situation); !reason.empty()) {
            plan.obstacles.push_back(reason);
            return;
        }
        if (!is_self_signed(situation)) {
            situation.facts.erase("certificate");
            return;
        }
    }
    plan.notes.push_back(
        "the certificate of " + host
        + " is self-signed, so mail programs warn of it. Get another one: mailboxctl setup --certbot you@example.org, or --certificate FILE --key FILE");
    if (is_there) return;
    plan.add(Phase::create, Kind::create, "certificate",
             "a self-signed certificate for " + host + ", " + situation.certificate,
             [&situation](Work& work) { make_self_signed(work, situation); });
}

}  // namespace

namespace {

void choose(Plan& plan, Situation& situation)
{
    const auto& options = situation.options;
    if (!options.has("nginx") && !options.has("dovecot") && !options.has("postfix")) return;
    situation.facts.erase("certificate");
    if (!options.certbot.empty()) {
        add_lets_encrypt(plan, situation);
        return;
    }
    if (!options.certificate.empty()) {
        situation.certificate = options.certificate;
        situation.key = options.key;
    } else if (situation.machine.exists(live(options.host) + "/fullchain.pem")) {
        situation.certificate = live(options.host) + "/fullchain.pem";
        situation.key = live(options.host) + "/privkey.pem";
    } else {
        situation.facts["certificate"] = "self-signed";
        add_self_signed(plan, situation);
        return;
    }
    if (const auto reason = obstacle(situation); !reason.empty()) plan.obstacles.push_back(reason);
}

}  // namespace

void add_certificate(Plan& plan, Situation& situation)
{
    choose(plan, situation);
    add_hook(plan, situation);
}

}  // namespace setup
