#include "peers/dovecot.h"

#include <curl/curl.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>
#include <string_view>

#include "base/crypto.h"
#include "base/json.h"
#include "base/strings.h"

namespace dovecot {
namespace {

constexpr std::size_t kLongestAnswer = 256 << 20;  // a session takes about 130 bytes
constexpr std::string_view kNobody = "68";         // exit code of kick if no one was connected
constexpr std::string_view kNoUser = "67";  // exit code of user if userdb does not know the name

template <typename Failure = Failed>
[[noreturn]] void fail(const std::string& where, const std::string& what)
{
    throw Failure("doveadm at " + where + ": " + what);
}

// Called by libcurl for each piece of an answer. Returning fewer bytes than given ends the
// transfer.
std::size_t take(const char* piece, std::size_t /*one*/, std::size_t size, void* answer)
{
    auto& text = *static_cast<std::string*>(answer);
    if (text.size() + size > kLongestAnswer) return 0;
    text.append(piece, size);
    return size;
}

// One answer of a list: [type, payload, tag].
struct Answer {
    bool is_error = false;
    json::Node payload;
};

std::vector<Answer> answers_of(const std::string& text, const std::string& where)
{
    const auto root = json::parse(text);
    std::vector<Answer> answers;
    if (root) {
        for (const auto& [name, each] : root->members) {
            if (each.members.size() != 3) break;
            answers.push_back(
                {each.members[0].value.text != "doveadmResponse", each.members[1].value});
        }
    }
    if (answers.empty()) fail<Unasked>(where, "its answer is not understood");
    return answers;
}

std::string member(const json::Node& node, std::string_view name)
{
    for (const auto& [its_name, value] : node.members) {
        if (its_name == name) return value.text;
    }
    return {};
}

[[noreturn]] void refuse(const Answer& answer, const std::string& where)
{
    fail(where, "it refused: " + member(answer.payload, "type") + " "
                    + member(answer.payload, "exitCode"));
}

}  // namespace

Client::Client(const Config& config, std::chrono::seconds deadline)
    : key_file_{config.doveadm_key_file}, where_{config.doveadm}, deadline_{deadline}
{
    if (where_.empty())
        throw Failed(
            "the setting doveadm is missing: it says where Dovecot's doveadm listens for HTTP");
    credentials_ = crypto::base64(config.doveadm_key());
}

std::string Client::ask(const std::string& commands) const
{
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle{curl_easy_init(),
                                                                     curl_easy_cleanup};
    const auto authorization = "Authorization: X-Dovecot-API " + credentials_;
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers{nullptr,
                                                                        curl_slist_free_all};
    for (const char* line : {authorization.c_str(), "Content-Type: application/json", "Expect:"}) {
        headers.reset(curl_slist_append(headers.release(), line));
    }
    std::string answer;
    const auto set = [&](CURLoption option, auto value) {
        const auto result = curl_easy_setopt(handle.get(), option, value);
        if (result != CURLE_OK) fail(where_, curl_easy_strerror(result));
    };
    const bool is_path = where_.starts_with('/');
    set(CURLOPT_URL, ("http://127.0.0.1:" + (is_path ? "80" : where_) + "/doveadm/v1").c_str());
    if (is_path) set(CURLOPT_UNIX_SOCKET_PATH, where_.c_str());
    set(CURLOPT_PROXY, "");  // no proxy, even if the environment names one
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(commands.size()));
    set(CURLOPT_POSTFIELDS, commands.c_str());
    set(CURLOPT_WRITEFUNCTION, take);
    set(CURLOPT_WRITEDATA, &answer);
    set(CURLOPT_TIMEOUT, static_cast<long>(deadline_.count()));
    set(CURLOPT_NOSIGNAL, 1L);
    const auto result = curl_easy_perform(handle.get());
    if (result == CURLE_OPERATION_TIMEDOUT) fail(where_, "it does not answer");
    if (result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_GOT_NOTHING)
        fail<Unasked>(where_, "it answers, but not by HTTP");
    long reason = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_OS_ERRNO, &reason);
    if (result == CURLE_COULDNT_CONNECT && reason == EACCES)
        fail<Unasked>(where_, "it is not for this user to connect to");
    if (result != CURLE_OK) fail(where_, curl_easy_strerror(result));
    long status = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status == 401)
        fail<WrongKey>(where_, "401: put Dovecot's doveadm_api_key into " + key_file_
                                   + " (doveadm_key_file), or the other way round");
    if (status != 200) fail<Unasked>(where_, "its answer is " + std::to_string(status));
    return answer;
}

// Lists connections, not users: in a list of users, Dovecot 2.3.19 closes the array after the first
// one.
std::vector<Session> Client::sessions() const
{
    const auto answers = answers_of(ask(R"([["who",{"separateConnections":true},"who"]])"), where_);
    if (answers[0].is_error) refuse(answers[0], where_);
    std::vector<Session> sessions;
    for (const auto& [name, row] : answers[0].payload.members) {
        sessions.push_back({member(row, "username"), member(row, "service"), member(row, "ip")});
    }
    return sessions;
}

void Client::kick(const std::vector<std::string>& users) const
{
    constexpr std::size_t kAtOnce = 100;
    for (std::size_t begin = 0; begin < users.size(); begin += kAtOnce) {
        std::string commands;
        for (std::size_t i = begin; i < std::min(begin + kAtOnce, users.size()); ++i) {
            commands += std::string{commands.empty() ? "[" : ","} + R"(["kick",{"mask":[)"
                        + json::quoted(users[i]) + R"(]},"kick"])";
        }
        for (const auto& answer : answers_of(ask(commands + "]"), where_)) {
            if (answer.is_error && member(answer.payload, "exitCode") != kNobody)
                refuse(answer, where_);
        }
    }
}

std::optional<std::map<std::string, std::string>> Client::user(const std::string& name,
                                                               const std::string& service) const
{
    const auto by =
        service.empty() ? "" : R"(,"authInfo":[)" + json::quoted("service=" + service) + "]";
    const auto answers = answers_of(
        ask(R"([["user",{"userMask":[)" + json::quoted(name) + "]" + by + R"(},"user"]])"), where_);
    if (answers[0].is_error && member(answers[0].payload, "exitCode") != kNoUser)
        refuse(answers[0], where_);
    if (answers[0].is_error) return std::nullopt;
    std::map<std::string, std::string> settings;
    for (const auto& [its_name, user] : answers[0].payload.members) {
        for (const auto& [setting, value] : user.members) settings.emplace(setting, value.text);
    }
    if (settings.empty()) return std::nullopt;
    return settings;
}

// Uses `mailbox status`, which also counts what is new in a folder. `quota get` returns whole
// kilobytes only and requires a plugin that Dovecot's configuration need not load.
std::optional<Client::Counted> Client::count(const std::string& name) const
{
    const auto answers =
        answers_of(ask(R"([["mailboxStatus",{"user":)" + json::quoted(name)
                       + R"(,"field":["vsize","messages"],"mailboxMask":["*"]},"status"]])"),
                   where_);
    if (answers[0].is_error && member(answers[0].payload, "exitCode") != kNoUser)
        refuse(answers[0], where_);
    if (answers[0].is_error) return std::nullopt;
    Counted counted;
    const auto add = [&](std::int64_t& sum, const std::string& text) {
        const auto number = strings::whole_number(text, std::numeric_limits<std::int64_t>::max());
        if (!number) fail(where_, "it did not count the folders of " + name);
        sum += static_cast<std::int64_t>(*number);
    };
    for (const auto& [index, folder] : answers[0].payload.members) {
        add(counted.bytes, member(folder, "vsize"));
        add(counted.messages, member(folder, "messages"));
    }
    return counted;
}

}  // namespace dovecot
