#include "filter.hpp"

#include <algorithm>
#include <cctype>

#include "odata.hpp"
#include "text.hpp"

namespace graph_simulator {

struct Filter::Node {
    enum class Kind { And, Or, Not, Compare, In, Call, Any };
    Kind kind = Kind::Compare;
    std::string name;      // operator or function
    std::string property;  // "" inside any() means the element itself
    std::vector<json::value> values;
    std::vector<std::unique_ptr<Node>> children;
};

namespace {

using Node = Filter::Node;
using NodePtr = std::unique_ptr<Node>;

constexpr int kMaxDepth = 40;

struct Token {
    enum class Kind { Word, String, Symbol, End };
    Kind kind = Kind::End;
    std::string text;
};

GraphError syntax_error(std::string_view text) {
    return {400,
            "BadRequest",
            "Invalid filter clause: syntax error near '" + std::string(text) + "'.",
            {}};
}

std::vector<Token> tokens_of(std::string_view text) {
    std::vector<Token> tokens;
    std::size_t i = 0;
    while (i < text.size()) {
        const char c = text[i];
        if (c == ' ') {
            ++i;
        } else if (c == '\'') {
            std::string value;
            ++i;
            while (true) {
                if (i >= text.size())
                    throw syntax_error("'");
                if (text[i] == '\'') {
                    if (i + 1 < text.size() && text[i + 1] == '\'')
                        ++i;
                    else
                        break;
                }
                value.push_back(text[i++]);
            }
            ++i;
            tokens.push_back({Token::Kind::String, std::move(value)});
        } else if (c == '(' || c == ')' || c == ',') {
            tokens.push_back({Token::Kind::Symbol, std::string(1, c)});
            ++i;
        } else {
            const std::size_t start = i;
            while (i < text.size() &&
                   std::string_view(" (),'").find(text[i]) == std::string_view::npos) {
                ++i;
            }
            tokens.push_back({Token::Kind::Word, std::string(text.substr(start, i - start))});
        }
    }
    tokens.push_back({});
    return tokens;
}

json::value literal(const Token& token) {
    if (token.kind == Token::Kind::String)
        return json::value(view(token.text));
    if (token.kind != Token::Kind::Word)
        throw syntax_error(token.text);
    if (token.text == "true")
        return true;
    if (token.text == "false")
        return false;
    if (token.text == "null")
        return nullptr;
    if (std::isdigit(static_cast<unsigned char>(token.text[0])) == 0)
        throw syntax_error(token.text);
    return json::value(view(token.text));  // numbers and times compare as text of one notation
}

class Parser {
public:
    Parser(std::vector<Token> tokens, std::span<const std::string_view> known,
           std::string_view type)
        : tokens_(std::move(tokens)), known_(known), type_(type) {}

    NodePtr parse() {
        NodePtr root = either();
        if (peek().kind != Token::Kind::End)
            throw syntax_error(peek().text);
        return root;
    }

    std::vector<std::string> operators;
    std::vector<std::string> properties;

private:
    const Token& peek() const { return tokens_[at_]; }

    const Token& take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }

    bool take_word(std::string_view word) {
        if (peek().kind != Token::Kind::Word || peek().text != word)
            return false;
        take();
        return true;
    }

    void expect(std::string_view symbol) {
        if (peek().kind != Token::Kind::Symbol || peek().text != symbol)
            throw syntax_error(peek().text);
        take();
    }

    NodePtr either() {
        if (++depth_ > kMaxDepth)
            throw syntax_error("too deep");
        NodePtr left = both();
        while (take_word("or")) left = join(Node::Kind::Or, std::move(left), both());
        --depth_;
        return left;
    }

    NodePtr both() {
        NodePtr left = unary();
        while (take_word("and")) left = join(Node::Kind::And, std::move(left), unary());
        return left;
    }

    static NodePtr join(Node::Kind kind, NodePtr left, NodePtr right) {
        auto node = std::make_unique<Node>();
        node->kind = kind;
        node->children.push_back(std::move(left));
        node->children.push_back(std::move(right));
        return node;
    }

    NodePtr unary() {
        if (take_word("not")) {
            if (++depth_ > kMaxDepth)
                throw syntax_error("too deep");
            operators.emplace_back("not");
            auto node = std::make_unique<Node>();
            node->kind = Node::Kind::Not;
            node->children.push_back(unary());
            --depth_;
            return node;
        }
        if (peek().kind == Token::Kind::Symbol && peek().text == "(") {
            take();
            NodePtr inner = either();
            expect(")");
            return inner;
        }
        return comparison();
    }

    std::string property(std::string_view text) {
        if (!variable_.empty()) {
            if (text == variable_)
                return {};
            if (text.starts_with(variable_ + "/"))
                return std::string(text.substr(variable_.size() + 1));
        }
        if (std::find(known_.begin(), known_.end(), text) == known_.end()) {
            throw bad_request("Invalid filter clause: Could not find a property named '" +
                              std::string(text) + "' on type '" + type_ + "'.");
        }
        properties.emplace_back(text);
        return std::string(text);
    }

    NodePtr comparison() {
        const Token first = take();
        if (first.kind != Token::Kind::Word)
            throw syntax_error(first.text);
        if (first.text == "startswith" || first.text == "startsWith" || first.text == "endswith" ||
            first.text == "endsWith" || first.text == "contains") {
            return call(lower(first.text));
        }
        if (first.text.ends_with("/any"))
            return any(first.text.substr(0, first.text.size() - 4));
        auto node = std::make_unique<Node>();
        node->property = property(first.text);
        const Token op = take();
        if (op.kind != Token::Kind::Word)
            throw syntax_error(op.text);
        node->name = op.text;
        operators.push_back(op.text);
        if (op.text == "in") {
            node->kind = Node::Kind::In;
            expect("(");
            node->values.push_back(literal(take()));
            while (peek().text == "," && peek().kind == Token::Kind::Symbol) {
                take();
                node->values.push_back(literal(take()));
            }
            expect(")");
            return node;
        }
        static constexpr std::string_view kOperators[] = {"eq", "ne", "gt", "ge", "lt", "le"};
        if (std::find(std::begin(kOperators), std::end(kOperators), op.text) ==
            std::end(kOperators)) {
            throw syntax_error(op.text);
        }
        node->values.push_back(literal(take()));
        return node;
    }

    NodePtr call(std::string name) {
        auto node = std::make_unique<Node>();
        node->kind = Node::Kind::Call;
        operators.push_back(name);
        node->name = std::move(name);
        expect("(");
        node->property = property(take().text);
        expect(",");
        node->values.push_back(literal(take()));
        if (!node->values[0].is_string())
            throw syntax_error("(");
        expect(")");
        return node;
    }

    NodePtr any(std::string_view collection) {
        auto node = std::make_unique<Node>();
        node->kind = Node::Kind::Any;
        node->property = property(collection);
        operators.emplace_back("any");
        expect("(");
        // "p:p/service" is one word: the colon is not a separator.
        Token& word = tokens_[at_];
        const auto colon = word.text.find(':');
        if (word.kind != Token::Kind::Word || colon == std::string::npos || colon == 0 ||
            !variable_.empty()) {
            throw syntax_error(word.text);
        }
        variable_ = word.text.substr(0, colon);
        word.text.erase(0, colon + 1);
        if (word.text.empty())
            take();
        node->children.push_back(either());
        variable_.clear();
        expect(")");
        return node;
    }

    std::vector<Token> tokens_;
    std::span<const std::string_view> known_;
    std::string type_;
    std::string variable_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

std::string folded(const json::value& value) {
    return value.is_string() ? lower(str(value.as_string())) : json::serialize(value);
}

bool compare(const std::string& op, const json::value& left, const json::value& right) {
    const bool equal = left.kind() == right.kind() && folded(left) == folded(right);
    if (op == "eq")
        return equal;
    if (op == "ne")
        return !equal;
    if (!left.is_string() || !right.is_string())
        return false;
    const int order = folded(left).compare(folded(right));
    if (op == "gt")
        return order > 0;
    if (op == "ge")
        return order >= 0;
    if (op == "lt")
        return order < 0;
    return order <= 0;
}

bool matches_text(const std::string& name, const json::value& value, const json::value& argument) {
    if (!value.is_string())
        return false;
    const std::string text = folded(value);
    const std::string part = folded(argument);
    if (name == "startswith")
        return text.starts_with(part);
    if (name == "endswith")
        return text.ends_with(part);
    return text.find(part) != std::string::npos;
}

bool evaluate(const Node& node, const Filter::Lookup& lookup) {
    switch (node.kind) {
        case Node::Kind::And:
            return evaluate(*node.children[0], lookup) && evaluate(*node.children[1], lookup);
        case Node::Kind::Or:
            return evaluate(*node.children[0], lookup) || evaluate(*node.children[1], lookup);
        case Node::Kind::Not:
            return !evaluate(*node.children[0], lookup);
        case Node::Kind::Compare:
            return compare(node.name, lookup(node.property), node.values[0]);
        case Node::Kind::In: {
            const json::value value = lookup(node.property);
            return std::any_of(node.values.begin(), node.values.end(),
                               [&](const json::value& each) { return compare("eq", value, each); });
        }
        case Node::Kind::Call:
            return matches_text(node.name, lookup(node.property), node.values[0]);
        case Node::Kind::Any: {
            const json::value list = lookup(node.property);
            if (!list.is_array())
                return false;
            for (const json::value& element : list.as_array()) {
                const Filter::Lookup inner = [&](std::string_view name) -> json::value {
                    if (name.empty())
                        return element;
                    const json::value* member =
                        element.is_object() ? element.as_object().if_contains(view(name)) : nullptr;
                    return member == nullptr ? json::value() : *member;
                };
                if (evaluate(*node.children[0], inner))
                    return true;
            }
            return false;
        }
    }
    return false;
}

}  // namespace

Filter::Filter() = default;
Filter::~Filter() = default;
Filter::Filter(Filter&&) noexcept = default;
Filter& Filter::operator=(Filter&&) noexcept = default;

Filter Filter::parse(std::string_view text, std::span<const std::string_view> known,
                     std::string_view type) {
    Parser parser(tokens_of(text), known, type);
    Filter filter;
    filter.root_ = parser.parse();
    filter.operators_ = std::move(parser.operators);
    filter.properties_ = std::move(parser.properties);
    return filter;
}

bool Filter::matches(const Lookup& lookup) const {
    return evaluate(*root_, lookup);
}

bool Filter::uses(std::string_view name) const {
    return std::find(operators_.begin(), operators_.end(), name) != operators_.end();
}

bool Filter::is_since(Since& since) const {
    if (root_->kind != Node::Kind::Compare || root_->property != "receivedDateTime" ||
        (root_->name != "ge" && root_->name != "gt") || !root_->values[0].is_string()) {
        return false;
    }
    since.inclusive = root_->name == "ge";
    since.time = str(root_->values[0].as_string());
    return true;
}

}  // namespace graph_simulator
