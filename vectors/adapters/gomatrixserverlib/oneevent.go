package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"sort"

	gmsl "github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/spec"
)

type eventInput struct {
	Event json.RawMessage `json:"event"`
}

func canonicalJSON(input json.RawMessage, version gmsl.IRoomVersion) (map[string]any, error) {
	var given struct {
		JSON string `json:"json"`
	}
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	if err := version.CheckCanonicalJSON([]byte(given.JSON)); err != nil {
		return nil, err
	}
	canonical, err := gmsl.CanonicalJSON([]byte(given.JSON))
	if err != nil {
		return nil, err
	}
	return map[string]any{"canonical": string(canonical)}, nil
}

// eventFormat asks for an event as one is read from another server. A content hash that does not hold is no
// error there: the event is redacted.
func eventFormat(input json.RawMessage, version gmsl.IRoomVersion) (map[string]any, error) {
	var given eventInput
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	_, err := version.NewEventFromUntrustedJSON(given.Event)
	return map[string]any{"valid": err == nil, "detail": detail(err)}, nil
}

func eventID(input json.RawMessage, version gmsl.IRoomVersion) (map[string]any, error) {
	event, err := readEvent(input, version)
	if err != nil {
		return nil, err
	}
	return map[string]any{"event_id": event.EventID()}, nil
}

func redact(input json.RawMessage, version gmsl.IRoomVersion) (map[string]any, error) {
	var given eventInput
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	redacted, err := version.RedactEventJSON(given.Event)
	if err != nil {
		return nil, err
	}
	return map[string]any{"event": json.RawMessage(redacted)}, nil
}

func readEvent(input json.RawMessage, version gmsl.IRoomVersion) (gmsl.PDU, error) {
	var given eventInput
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	return version.NewEventFromTrustedJSON(given.Event, false)
}

// asked notes the servers whose signatures are asked for, and finds every signature good.
type asked map[string]bool

func (servers asked) VerifyJSONs(
	_ context.Context, requests []gmsl.VerifyJSONRequest,
) ([]gmsl.VerifyJSONResult, error) {
	for _, one := range requests {
		servers[string(one.ServerName)] = true
	}
	return make([]gmsl.VerifyJSONResult, len(requests)), nil
}

func requiredSigners(input json.RawMessage, version gmsl.IRoomVersion) (map[string]any, error) {
	event, err := readEvent(input, version)
	if err != nil {
		return nil, err
	}
	servers := asked{}
	if err := gmsl.VerifyEventSignatures(context.Background(), event, servers, userOf); err != nil {
		return nil, err
	}
	names := []string{}
	for name := range servers {
		names = append(names, name)
	}
	sort.Strings(names)
	return map[string]any{"servers": names}, nil
}

func userOf(_ spec.RoomID, sender spec.SenderID) (*spec.UserID, error) {
	return spec.NewUserID(string(sender), true)
}

// database is all that is known of keys.
type database map[gmsl.PublicKeyLookupRequest]gmsl.PublicKeyLookupResult

// forever is a time in milliseconds until which a key without a limit is valid.
const forever = spec.Timestamp(253402300799000)

func (keys database) FetcherName() string { return "vectors" }

func (keys database) FetchKeys(
	_ context.Context, requests map[gmsl.PublicKeyLookupRequest]spec.Timestamp,
) (map[gmsl.PublicKeyLookupRequest]gmsl.PublicKeyLookupResult, error) {
	found := map[gmsl.PublicKeyLookupRequest]gmsl.PublicKeyLookupResult{}
	for one := range requests {
		if key, known := keys[one]; known {
			found[one] = key
		}
	}
	return found, nil
}

func (keys database) StoreKeys(
	context.Context, map[gmsl.PublicKeyLookupRequest]gmsl.PublicKeyLookupResult,
) error {
	return nil
}

func verifySignatures(input json.RawMessage, version gmsl.IRoomVersion) (map[string]any, error) {
	var given struct {
		Keys map[spec.ServerName]map[gmsl.KeyID]struct {
			Key        string          `json:"key"`
			ValidUntil *spec.Timestamp `json:"valid_until_ts"`
			Expired    *spec.Timestamp `json:"expired_ts"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	keys := database{}
	for server, byID := range given.Keys {
		for id, one := range byID {
			raw, err := base64.RawStdEncoding.DecodeString(one.Key)
			if err != nil {
				continue
			}
			result := gmsl.PublicKeyLookupResult{VerifyKey: gmsl.VerifyKey{Key: raw}, ValidUntilTS: forever}
			if one.ValidUntil != nil {
				result.ValidUntilTS = *one.ValidUntil
			}
			if one.Expired != nil {
				result.ValidUntilTS, result.ExpiredTS = gmsl.PublicKeyNotValid, *one.Expired
			}
			keys[gmsl.PublicKeyLookupRequest{ServerName: server, KeyID: id}] = result
		}
	}
	event, err := readEvent(input, version)
	if err != nil {
		return nil, err
	}
	ring := gmsl.KeyRing{KeyDatabase: keys}
	err = gmsl.VerifyEventSignatures(context.Background(), event, ring, userOf)
	return map[string]any{"valid": err == nil, "detail": detail(err)}, nil
}

func signJSON(input json.RawMessage, _ gmsl.IRoomVersion) (map[string]any, error) {
	var given struct {
		Object json.RawMessage `json:"object"`
		Server string          `json:"server"`
		KeyID  gmsl.KeyID      `json:"key_id"`
		Seed   string          `json:"seed"`
	}
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	seed, err := base64.RawStdEncoding.DecodeString(given.Seed)
	if err != nil {
		return nil, err
	}
	signed, err := gmsl.SignJSON(given.Server, given.KeyID, ed25519.NewKeyFromSeed(seed), given.Object)
	if err != nil {
		return nil, err
	}
	return map[string]any{"object": json.RawMessage(signed)}, nil
}
