// Answers the requests of the test vectors, in JSON Lines, with mautrix-go.
//
// It translates and never decides: what it answers is what a function of the library gives for the input.
package main

import (
	"bufio"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"log"
	"os"

	"maunium.net/go/mautrix/id"
)

type request struct {
	ID          int64          `json:"id"`
	Operation   string         `json:"operation"`
	RoomVersion id.RoomVersion `json:"room_version"`
	Input       jsontext.Value `json:"input"`
}

type answer struct {
	ID          int64          `json:"id"`
	Output      map[string]any `json:"output,omitempty"`
	Error       string         `json:"error,omitempty"`
	Unsupported bool           `json:"unsupported,omitzero"`
}

// errUnsupported is the error of an operation that the library does not offer.
var errUnsupported = errors.New("unsupported")

type operation func(input jsontext.Value, version id.RoomVersion) (map[string]any, error)

var operations = map[string]operation{
	"canonical_json":    canonicalJSON,
	"event_format":      eventFormat,
	"content_hash":      contentHash,
	"event_id":          eventID,
	"redact":            redact,
	"verify_signatures": verifySignatures,
	"sign_json":         signJSON,
	"sign_event":        signEvent,
	"auth_types":        authTypes,
	"auth":              auth,
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 1 {
			if err := write(out, respond(line)); err != nil {
				log.Fatal(err)
			}
		}
		if err != nil {
			return
		}
	}
}

func write(out *bufio.Writer, given answer) error {
	if err := json.MarshalWrite(out, given); err != nil {
		return err
	}
	if err := out.WriteByte('\n'); err != nil {
		return err
	}
	return out.Flush()
}

func respond(line []byte) (given answer) {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{ID: -1, Error: err.Error()}
	}
	given.ID = asked.ID
	defer func() {
		if reason := recover(); reason != nil {
			given = answer{ID: asked.ID, Error: fmt.Sprintf("panic: %v", reason)}
		}
	}()
	run, known := operations[asked.Operation]
	if !known || !asked.RoomVersion.IsKnown() {
		given.Unsupported = true
		return given
	}
	output, err := run(asked.Input, asked.RoomVersion)
	switch {
	case errors.Is(err, errUnsupported):
		given.Unsupported = true
	case err != nil:
		given.Error = err.Error()
	default:
		given.Output = output
	}
	return given
}

// detail is the text of an error, or nil.
func detail(err error) any {
	if err == nil {
		return nil
	}
	return err.Error()
}
