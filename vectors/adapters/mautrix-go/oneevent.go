package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"time"

	"maunium.net/go/mautrix/crypto/canonicaljson"
	"maunium.net/go/mautrix/federation"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"
)

func canonicalJSON(input jsontext.Value, _ id.RoomVersion) (map[string]any, error) {
	var given struct {
		JSON string `json:"json"`
	}
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	value := jsontext.Value(given.JSON)
	if err := canonicaljson.Canonicalize(&value); err != nil {
		return nil, err
	}
	return map[string]any{"canonical": string(value)}, nil
}

// readEvent reads the event of an input. Room versions 1 and 2 have a type of their own.
func readEvent(input jsontext.Value, version id.RoomVersion) (pdu.AnyPDU, error) {
	var given struct {
		Event jsontext.Value `json:"event"`
	}
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	if version.EventIDFormat() == id.EventIDFormatCustom {
		return read[pdu.RoomV1PDU](given.Event)
	}
	return read[pdu.PDU](given.Event)
}

func read[T any](raw jsontext.Value) (*T, error) {
	event := new(T)
	return event, json.Unmarshal(raw, event)
}

// eventFormat answers where the event cannot be read. The library has no check of the format, so what it can
// read is not known to be valid.
func eventFormat(input jsontext.Value, version id.RoomVersion) (map[string]any, error) {
	if _, err := readEvent(input, version); err != nil {
		return map[string]any{"valid": false, "detail": detail(err)}, nil
	}
	return nil, errUnsupported
}

func contentHash(input jsontext.Value, version id.RoomVersion) (map[string]any, error) {
	event, err := readEvent(input, version)
	if err != nil {
		return nil, err
	}
	hash, err := event.CalculateContentHash()
	if err != nil {
		return nil, err
	}
	return map[string]any{"sha256": base64.RawStdEncoding.EncodeToString(hash[:])}, nil
}

func eventID(input jsontext.Value, version id.RoomVersion) (map[string]any, error) {
	event, err := readEvent(input, version)
	if err != nil {
		return nil, err
	}
	found, err := event.GetEventID(version)
	if err != nil {
		return nil, err
	}
	return map[string]any{"event_id": found}, nil
}

func redact(input jsontext.Value, version id.RoomVersion) (map[string]any, error) {
	event, err := readEvent(input, version)
	if err != nil {
		return nil, err
	}
	switch one := event.(type) {
	case *pdu.RoomV1PDU:
		return map[string]any{"event": one.Redact(version)}, nil
	case *pdu.PDU:
		return map[string]any{"event": one.Redact(version)}, nil
	}
	return nil, errUnsupported
}

// forever is a time until which a key without a limit is valid.
var forever = time.UnixMilli(253402300799000)

type knownKey struct {
	Key        id.SigningKey `json:"key"`
	ValidUntil *int64        `json:"valid_until_ts"`
	Expired    *int64        `json:"expired_ts"`
}

func (key knownKey) validUntil() time.Time {
	switch {
	case key.Expired != nil:
		return time.UnixMilli(*key.Expired)
	case key.ValidUntil != nil:
		return time.UnixMilli(*key.ValidUntil)
	default:
		return forever
	}
}

// verifySignatures asks for the signature of the sender's server. The library verifies the signatures of a
// server that the caller names. It does not say which servers must sign: where it could be another one than
// the sender's, there is no answer.
func verifySignatures(input jsontext.Value, version id.RoomVersion) (map[string]any, error) {
	var given struct {
		Keys map[string]map[id.KeyID]knownKey `json:"keys"`
	}
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	event, err := readEvent(input, version)
	if err != nil {
		return nil, err
	}
	server, alone := onlySigner(event)
	if !alone {
		return nil, errUnsupported
	}
	getKey := func(server string, keyID id.KeyID, _ time.Time) (id.SigningKey, time.Time, error) {
		key, known := given.Keys[server][keyID]
		if !known {
			return "", time.Time{}, nil
		}
		return key.Key, key.validUntil(), nil
	}
	err = event.VerifySignature(version, server, getKey)
	return map[string]any{"valid": err == nil, "detail": detail(err)}, nil
}

// onlySigner gives the sender's server, and whether it is the only server that may have to sign.
func onlySigner(event pdu.AnyPDU) (string, bool) {
	switch one := event.(type) {
	case *pdu.RoomV1PDU:
		_, _, server := id.ParseCommonIdentifier(one.EventID)
		sender := one.Sender.Homeserver()
		return sender, server == sender && !names(one.Type, one.Content)
	case *pdu.PDU:
		return one.Sender.Homeserver(), !names(one.Type, one.Content)
	}
	return "", false
}

// names tells whether a membership names an authoriser, whose server must sign, or has a third-party invite,
// for which the sender's server need not.
func names(eventType string, content jsontext.Value) bool {
	var given map[string]jsontext.Value
	if eventType != "m.room.member" || json.Unmarshal(content, &given) != nil {
		return false
	}
	_, authorised := given["join_authorised_via_users_server"]
	_, invited := given["third_party_invite"]
	return authorised || invited
}

type signer struct {
	Server string   `json:"server"`
	KeyID  id.KeyID `json:"key_id"`
	Seed   string   `json:"seed"`
}

func (one signer) key() (ed25519.PrivateKey, error) {
	seed, err := base64.RawStdEncoding.DecodeString(one.Seed)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// signJSON adds the signature that the library gives to the object.
func signJSON(input jsontext.Value, _ id.RoomVersion) (map[string]any, error) {
	var given struct {
		signer
		Object jsontext.Value `json:"object"`
	}
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	key, err := given.key()
	if err != nil {
		return nil, err
	}
	signature, err := (&federation.SigningKey{ID: given.KeyID, Priv: key}).SignJSON(given.Object)
	if err != nil {
		return nil, err
	}
	var object struct {
		Signatures map[string]map[id.KeyID]string `json:"signatures"`
		Others     map[string]jsontext.Value      `json:",unknown"`
	}
	if err := json.Unmarshal(given.Object, &object); err != nil {
		return nil, err
	}
	if object.Signatures == nil {
		object.Signatures = map[string]map[id.KeyID]string{}
	}
	if object.Signatures[given.Server] == nil {
		object.Signatures[given.Server] = map[id.KeyID]string{}
	}
	object.Signatures[given.Server][given.KeyID] = signature
	return map[string]any{"object": object}, nil
}

func signEvent(input jsontext.Value, version id.RoomVersion) (map[string]any, error) {
	var given signer
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	key, err := given.key()
	if err != nil {
		return nil, err
	}
	event, err := readEvent(input, version)
	if err != nil {
		return nil, err
	}
	if err := event.Sign(version, given.Server, given.KeyID, key); err != nil {
		return nil, err
	}
	return map[string]any{"event": event}, nil
}
