# shellcheck shell=bash
# guide.sh - prints the operator's guide as one text.

# guide_text ROOT: prints docs/guide.md and then the pages of its table of contents, in that order.
guide_text()
{
    local docs=$1/docs page
    cat "$docs/guide.md"
    while IFS= read -r page; do
        printf '\n'
        cat "$docs/$page"
    done < <(sed -n 's/^[0-9]*\. \[.*\](\([a-z-]*\.md\)).*/\1/p' "$docs/guide.md")
}
