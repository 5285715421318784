#include "mailboxd/resolver.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

#include "base/strings.h"

namespace resolver {
namespace {

class Resolver {
public:
    Resolver()
    {
        is_ready_ = ::res_ninit(&state_) == 0;
        state_.retrans = 1;  // seconds for one name server
        state_.retry = 1;
        state_.nscount = std::min(state_.nscount, 1);
    }
    ~Resolver()
    {
        if (is_ready_) ::res_nclose(&state_);
    }
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    // Returns the values of the name's records of the type. Empty if the DNS could not be asked.
    std::optional<std::vector<std::string>> values(const std::string& name, ns_type type)
    {
        if (!is_ready_) return std::nullopt;
        std::array<unsigned char, 16'384> answer{};
        const int size = ::res_nquery(&state_, name.c_str(), ns_c_in, type, answer.data(),
                                      static_cast<int>(answer.size()));
        if (size < 0) {
            const bool is_empty =
                state_.res_h_errno == HOST_NOT_FOUND || state_.res_h_errno == NO_DATA;
            return is_empty ? std::optional<std::vector<std::string>>{std::in_place} : std::nullopt;
        }
        ns_msg message{};
        if (::ns_initparse(answer.data(), size, &message) != 0) return std::nullopt;
        std::vector<std::string> found;
        for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
            ns_rr record{};
            if (::ns_parserr(&message, ns_s_an, i, &record) != 0) return std::nullopt;
            if (ns_rr_type(record) == type) found.push_back(value(message, record, type));
        }
        return found;
    }

private:
    static std::string value(const ns_msg& message, const ns_rr& record, ns_type type)
    {
        const unsigned char* data = ns_rr_rdata(record);
        const unsigned char* const end = data + ns_rr_rdlen(record);
        if (type == ns_t_mx) {
            constexpr std::size_t kPreference = 2;
            std::array<char, NS_MAXDNAME> name{};
            if (data + kPreference >= end
                || ::dn_expand(ns_msg_base(message), ns_msg_end(message), data + kPreference,
                               name.data(), static_cast<int>(name.size()))
                       < 0)
                return {};
            return strings::lower_case(name.data());
        }
        // A TXT record is a sequence of texts, each with its length before it (RFC 1035 3.3.14).
        std::string text;
        while (data < end) {
            const auto length = std::min<std::ptrdiff_t>(*data, end - data - 1);
            text.append(reinterpret_cast<const char*>(data + 1), static_cast<std::size_t>(length));
            data += 1 + length;
        }
        return text;
    }

    struct __res_state state_ {};
    bool is_ready_ = false;
};

// SPF and DMARC may say more than we propose, so it counts that there is such a record.
bool is_there(const dns::Record& record, const std::vector<std::string>& values)
{
    if (record.type == "MX")
        return std::find(values.begin(), values.end(), record.value) != values.end();
    const auto tag = record.value.substr(0, record.value.find_first_of(" ;"));
    return std::any_of(values.begin(), values.end(),
                       [&](const std::string& value) { return value.starts_with(tag); });
}

}  // namespace

std::string_view text(Valid valid)
{
    switch (valid) {
    case Valid::valid: return "valid";
    case Valid::invalid: return "invalid";
    case Valid::unknown: return "unknown";
    }
    throw std::logic_error("no validity");
}

std::vector<Found> look_up(const std::vector<dns::Record>& records,
                           std::chrono::steady_clock::time_point until)
{
    Resolver resolver;
    std::vector<Found> all;
    for (const auto& record : records) {
        Found found;
        if (std::chrono::steady_clock::now() < until) {
            auto values = resolver.values(record.name, record.type == "MX" ? ns_t_mx : ns_t_txt);
            if (values) {
                found.valid = is_there(record, *values) ? Valid::valid : Valid::invalid;
                found.values = *std::move(values);
            }
        }
        all.push_back(std::move(found));
    }
    return all;
}

}  // namespace resolver
