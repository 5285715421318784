#include "mailboxd/fastcgi_records.h"

#include <algorithm>

namespace records {
namespace {

// Section 8 of the specification.
constexpr unsigned char kVersion = 1;
constexpr unsigned char kAbortRequest = 2;
constexpr unsigned char kEndRequest = 3;
constexpr unsigned char kParams = 4;
constexpr unsigned char kStdin = 5;
constexpr unsigned char kStdout = 6;
constexpr std::size_t kMostContent = 0xFFFF;
constexpr std::size_t kHeaderSize = 8;

std::size_t byte_at(std::string_view bytes, std::size_t at)
{
    return static_cast<unsigned char>(bytes[at]);
}

// The record at the beginning of a text.
struct Record {
    unsigned char version;
    unsigned char type;
    std::string_view content;
    std::size_t size;  // including header and padding
};

// Returns empty while a part of the record is missing.
std::optional<Record> first_record(std::string_view bytes)
{
    if (bytes.size() < kHeaderSize) return std::nullopt;
    const auto length = byte_at(bytes, 4) << 8U | byte_at(bytes, 5);
    const auto size = kHeaderSize + length + byte_at(bytes, 6);
    const auto version = static_cast<unsigned char>(bytes[0]);
    if (version == kVersion && bytes.size() < size) return std::nullopt;
    return Record{version, static_cast<unsigned char>(bytes[1]), bytes.substr(kHeaderSize, length),
                  size};
}

// Takes a length of one or four bytes off the front (section 3.4). Returns empty if it is cut
// short.
std::optional<std::size_t> take_length(std::string_view& bytes)
{
    constexpr std::size_t kIsLong = 0x80;
    if (bytes.empty()) return std::nullopt;
    const auto first = byte_at(bytes, 0);
    if (first < kIsLong) {
        bytes.remove_prefix(1);
        return first;
    }
    if (bytes.size() < 4) return std::nullopt;
    const auto length = (first & ~kIsLong) << 24U | byte_at(bytes, 1) << 16U
                        | byte_at(bytes, 2) << 8U | byte_at(bytes, 3);
    bytes.remove_prefix(4);
    return length;
}

}  // namespace

void Incoming::add(std::string_view bytes)
{
    const auto wanted = std::min(bytes.size(), most_ - size_);
    if (size_ + wanted > bytes_.size()) {
        Secret larger{std::max(size_ + wanted, std::min(2 * size_, most_))};
        std::copy_n(bytes_.data(), size_, larger.data());
        bytes_ = std::move(larger);
    }
    std::copy_n(bytes.data(), wanted, bytes_.data() + size_);
    size_ += wanted;
    scan();
    if (wanted < bytes.size()) is_complete_ = true;
}

void Incoming::scan()
{
    while (!is_complete_) {
        const auto record = first_record(this->bytes().substr(scanned_));
        if (!record) return;
        scanned_ += record->size;
        is_complete_ = record->version != kVersion || record->type == kAbortRequest
                       || (record->type == kStdin && record->content.empty());
    }
}

std::optional<std::string> Incoming::parameter(std::string_view name) const
{
    // Joins the stream of parameters, which may be cut into records anywhere.
    std::string params;
    auto records = bytes();
    for (auto record = first_record(records); record; record = first_record(records)) {
        if (record->version != kVersion || record->type == kStdin) break;
        if (record->type == kParams) params += record->content;
        records.remove_prefix(record->size);
    }
    for (std::string_view rest = params; !rest.empty();) {
        const auto name_length = take_length(rest);
        const auto value_length = take_length(rest);
        if (!name_length || !value_length || rest.size() < *name_length
            || rest.size() - *name_length < *value_length)
            break;
        if (rest.substr(0, *name_length) == name)
            return std::string{rest.substr(*name_length, *value_length)};
        rest.remove_prefix(*name_length + *value_length);
    }
    return std::nullopt;
}

int Incoming::request_id() const
{
    const auto text = bytes();
    return text.size() < kHeaderSize ? 0
                                     : static_cast<int>(byte_at(text, 2) << 8U | byte_at(text, 3));
}

void Outgoing::add(std::string_view text)
{
    for (; !text.empty(); text.remove_prefix(std::min(text.size(), kMostContent))) {
        const auto piece = text.substr(0, kMostContent);
        add_record(kStdout, piece.data(), piece.size());
    }
}

void Outgoing::send(int connection)
{
    static constexpr std::array<unsigned char, 8> kRequestComplete{};
    add_record(kStdout, nullptr, 0);
    add_record(kEndRequest, kRequestComplete.data(), kRequestComplete.size());
    [[maybe_unused]] const auto written =
        ::writev(connection, parts_.data(), static_cast<int>(parts_.size()));
}

void Outgoing::add_record(unsigned char type, const void* content, std::size_t length)
{
    headers_.push_back({kVersion, type, static_cast<unsigned char>(request_id_ >> 8),
                        static_cast<unsigned char>(request_id_),
                        static_cast<unsigned char>(length >> 8), static_cast<unsigned char>(length),
                        0, 0});
    parts_.push_back({headers_.back().data(), kHeaderSize});
    parts_.push_back({const_cast<void*>(content), length});
}

}  // namespace records
