package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/federation/eventauth"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"
)

func authTypes(input jsontext.Value, version id.RoomVersion) (map[string]any, error) {
	event, err := readEvent(input, version)
	if err != nil {
		return nil, err
	}
	keys := [][2]string{}
	for _, key := range event.AuthEventSelection(version) {
		keys = append(keys, [2]string{key.Type, key.StateKey})
	}
	slices.SortFunc(keys, func(a, b [2]string) int {
		if order := strings.Compare(a[0], b[0]); order != 0 {
			return order
		}
		return strings.Compare(a[1], b[1])
	})
	return map[string]any{"keys": keys}, nil
}

type events map[id.EventID]*pdu.PDU

// get gives the events in the order of the IDs, with nil for an unknown one, as in the library's own tests.
func (known events) get(ids []id.EventID) ([]*pdu.PDU, error) {
	found := make([]*pdu.PDU, len(ids))
	for i, one := range ids {
		found[i] = known[one]
	}
	return found, nil
}

// selected gives the events of a state that the library selects for an event.
func (known events) selected(state []id.EventID, event *pdu.PDU, version id.RoomVersion) ([]*pdu.PDU, error) {
	selection := event.AuthEventSelection(version)
	found := []*pdu.PDU{}
	for _, one := range state {
		other := known[one]
		if other == nil || other.StateKey == nil {
			return nil, fmt.Errorf("no state event %s", one)
		}
		if selection.Has(pdu.StateKey{Type: other.Type, StateKey: *other.StateKey}) {
			found = append(found, other)
		}
	}
	return found, nil
}

// The key under which an event counts as signed by the server of its authoriser.
const ownKeyID = id.KeyID("ed25519:adapter")

var ownKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func getOwnKey(string, id.KeyID, time.Time) (id.SigningKey, time.Time, error) {
	public := ownKey.Public().(ed25519.PublicKey)
	return id.SigningKey(base64.RawStdEncoding.EncodeToString(public)), forever, nil
}

// countAsSigned signs an event for the server of the user who authorised its join. The library verifies that
// signature with the authorisation rules, and in the vectors it counts as verified.
func countAsSigned(event *pdu.PDU, version id.RoomVersion) {
	var content struct {
		Authoriser id.UserID `json:"join_authorised_via_users_server"`
	}
	if json.Unmarshal(event.Content, &content) != nil || content.Authoriser.Homeserver() == "" {
		return
	}
	event.Signatures = nil
	if err := event.Sign(version, content.Authoriser.Homeserver(), ownKeyID, ownKey); err != nil {
		event.Signatures = nil // an event that cannot be signed is not signed
	}
}

func auth(input jsontext.Value, version id.RoomVersion) (map[string]any, error) {
	if version.EventIDFormat() == id.EventIDFormatCustom {
		return nil, errUnsupported // the rules take no events of these versions
	}
	var given struct {
		Events   map[id.EventID]jsontext.Value `json:"events"`
		Event    id.EventID                    `json:"event"`
		State    *[]id.EventID                 `json:"state"`
		Rejected []id.EventID                  `json:"rejected"`
	}
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	known := events{}
	for name, raw := range given.Events {
		event, err := read[pdu.PDU](raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		event.InternalMeta.EventID = name
		event.InternalMeta.Rejected = slices.Contains(given.Rejected, name)
		known[name] = event
	}
	// The IDs of the vectors are made up.
	pdu.UseInternalMetaForGetEventID = true
	defer func() { pdu.UseInternalMetaForGetEventID = false }()
	event := known[given.Event]
	if event == nil {
		return nil, fmt.Errorf("unknown event %s", given.Event)
	}
	countAsSigned(event, version)
	err := eventauth.Authorize(version, event, nil, known.get, getOwnKey)
	if err == nil && given.State != nil {
		state, unknown := known.selected(*given.State, event, version)
		if unknown != nil {
			return nil, unknown
		}
		err = eventauth.Authorize(version, event, state, known.get, getOwnKey)
	}
	return map[string]any{"allowed": err == nil, "detail": detail(err)}, nil
}
