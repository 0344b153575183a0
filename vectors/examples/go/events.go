// Canonical JSON, redaction, content hashes and event IDs of room versions 1 to 12.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

var escape = regexp.MustCompile(`\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u([dD][89a-fA-F])..|\\.`)

// checkSurrogates refuses half a surrogate pair, which encoding/json would replace with U+FFFD.
func checkSurrogates(text []byte) error {
	for _, found := range escape.FindAllSubmatch(text, -1) {
		if len(found[1]) > 0 {
			return errors.New("a surrogate that stands alone")
		}
	}
	return nil
}

const largest = 1<<53 - 1

// canonical returns the canonical JSON of a value. It is strict from room version 6 on: integers alone, within 2^53.
func canonical(value any, strict bool) ([]byte, error) {
	switch value := value.(type) {
	case object:
		keys := make([]string, 0, len(value))
		for key := range value {
			keys = append(keys, key)
		}
		sort.Strings(keys) // by bytes of UTF-8, which is the order of code points
		parts := make([]string, len(keys))
		for i, key := range keys {
			written, err := canonical(value[key], strict)
			if err != nil {
				return nil, err
			}
			parts[i] = quoted(key) + ":" + string(written)
		}
		return []byte("{" + strings.Join(parts, ",") + "}"), nil
	case []any:
		parts := make([]string, len(value))
		for i, item := range value {
			written, err := canonical(item, strict)
			if err != nil {
				return nil, err
			}
			parts[i] = string(written)
		}
		return []byte("[" + strings.Join(parts, ",") + "]"), nil
	case string:
		return []byte(quoted(value)), nil
	case json.Number:
		return number(value.String(), strict)
	default: // a literal
		return json.Marshal(value)
	}
}

func number(text string, strict bool) ([]byte, error) {
	if !strings.ContainsAny(text, ".eE") {
		integer, err := strconv.ParseInt(text, 10, 64)
		if strict && (err != nil || integer > largest || integer < -largest) {
			return nil, errors.New("an integer beyond 2^53 - 1")
		}
		if text == "-0" {
			text = "0"
		}
		return []byte(text), nil
	}
	float, _ := strconv.ParseFloat(text, 64)
	if strict || (float == math.Trunc(float) && !math.IsInf(float, 0)) {
		return nil, errors.New("a number that is not written as an integer")
	}
	return []byte(text), nil
}

var short = map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}

// quoted writes a string. json.Marshal would escape more characters.
func quoted(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, one := range text {
		if escaped, ok := short[one]; ok {
			out.WriteString(escaped)
		} else if one < ' ' {
			fmt.Fprintf(&out, `\u%04x`, one)
		} else {
			out.WriteRune(one)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// only returns the entries of an object whose keys are in a list of words.
func only(from object, words string) object {
	kept := object{}
	for _, key := range strings.Fields(words) {
		if value, ok := from[key]; ok {
			kept[key] = value
		}
	}
	return kept
}

func since(version, first int, words string) string {
	if version >= first {
		return " " + words
	}
	return ""
}

func keptContent(kind string, version int) string {
	switch kind {
	case "m.room.member":
		return "membership" + since(version, 9, "join_authorised_via_users_server")
	case "m.room.create":
		return "creator"
	case "m.room.join_rules":
		return "join_rule" + since(version, 8, "allow")
	case "m.room.power_levels":
		levels := "ban events events_default kick redact state_default users users_default"
		return levels + since(version, 11, "invite")
	case "m.room.aliases":
		return map[bool]string{true: "aliases"}[version <= 5]
	case "m.room.history_visibility":
		return "history_visibility"
	case "m.room.redaction":
		return since(version, 11, "redacts")
	}
	return ""
}

func redact(event object, version int) (object, error) {
	keys := "event_id type room_id sender state_key content hashes signatures depth prev_events auth_events " +
		"origin_server_ts"
	if version <= 10 {
		keys += " origin membership prev_state"
	}
	kept := only(event, keys)
	content, isObject := event["content"].(object)
	if !isObject {
		return nil, errors.New("no content to redact")
	}
	kind, _ := event["type"].(string)
	if kind == "m.room.create" && version >= 11 {
		return kept, nil // with all of its content
	}
	left := only(content, keptContent(kind, version))
	if invite, isObject := content["third_party_invite"].(object); isObject && kind == "m.room.member" && version >= 11 {
		left["third_party_invite"] = only(invite, "signed")
	}
	kept["content"] = left
	return kept, nil
}

// digest returns the SHA-256 of an object's canonical JSON, without some of its keys.
func digest(value object, without string, version int) ([]byte, error) {
	rest := maps.Clone(value)
	for _, key := range strings.Fields(without) {
		delete(rest, key)
	}
	text, err := canonical(rest, version >= 6)
	sum := sha256.Sum256(text)
	return sum[:], err
}

func contentHash(event object, version int) (string, error) {
	hash, err := digest(event, "unsigned signatures hashes", version)
	return base64.RawStdEncoding.EncodeToString(hash), err
}

func eventID(event object, version int) (string, error) {
	if version <= 2 {
		id, isString := event["event_id"].(string)
		if !isString {
			return "", errors.New("an event without its ID")
		}
		return id, nil
	}
	redacted, err := redact(event, version)
	if err != nil {
		return "", err
	}
	hash, err := digest(redacted, "signatures", version)
	if version == 3 {
		return "$" + base64.RawStdEncoding.EncodeToString(hash), err
	}
	return "$" + base64.RawURLEncoding.EncodeToString(hash), err
}
