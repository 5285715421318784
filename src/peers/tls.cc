#include "peers/tls.h"

#include <curl/curl.h>

#include <array>
#include <ctime>
#include <iomanip>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "base/strings.h"

namespace tls {
namespace {

// Returns the date in the line of this name among libcurl's lines about a certificate; 0 if there
// is none. With GnuTLS a line is `Expire Date:2027-01-31 12:00:00 GMT`.
std::int64_t date(const curl_slist* lines, std::string_view name)
{
    for (; lines != nullptr; lines = lines->next) {
        const std::string_view line{lines->data};
        if (!strings::equals_ignoring_case(line.substr(0, name.size()), name)) continue;
        std::tm time{};
        std::istringstream text{std::string{line.substr(name.size())}};
        text >> std::get_time(&time, "%Y-%m-%d %H:%M:%S");
        return text ? timegm(&time) : 0;
    }
    return 0;
}

}  // namespace

Shown certificate(const std::string& url, const std::string& ca_file, std::chrono::seconds deadline)
{
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle{curl_easy_init(),
                                                                     curl_easy_cleanup};
    std::array<char, CURL_ERROR_SIZE> complaint{};
    const auto set = [&](CURLoption option, auto value) {
        const auto result = curl_easy_setopt(handle.get(), option, value);
        if (result != CURLE_OK) throw std::runtime_error(curl_easy_strerror(result));
    };
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_CONNECT_ONLY, 1L);
    set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
    set(CURLOPT_CERTINFO, 1L);
    if (!ca_file.empty()) {
        set(CURLOPT_CAINFO, ca_file.c_str());
        set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }
    set(CURLOPT_ERRORBUFFER, complaint.data());
    set(CURLOPT_PROXY, "");
    set(CURLOPT_TIMEOUT, static_cast<long>(deadline.count()));
    set(CURLOPT_NOSIGNAL, 1L);
    const auto result = curl_easy_perform(handle.get());
    if (result != CURLE_OK)
        return {.problem = complaint[0] != '\0' ? complaint.data() : curl_easy_strerror(result)};
    const curl_certinfo* chain = nullptr;
    curl_easy_getinfo(handle.get(), CURLINFO_CERTINFO, &chain);
    if (chain == nullptr || chain->num_of_certs == 0) return {.problem = "it shows no certificate"};
    return {.problem = {},
            .valid_from = date(chain->certinfo[0], "start date:"),
            .valid_until = date(chain->certinfo[0], "expire date:")};
}

}  // namespace tls
