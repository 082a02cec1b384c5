package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Proves that JSON comes out in QEMU's layout and reads back as what was written. */
final class JsonWriterTest {
    @Test
    void indentsByFourSpacesAndBreaksEmptyListsAsQemuDoes() {
        JsonWriter json = new JsonWriter()
                .beginObject()
                .member("a", 1)
                .key("b")
                .beginList()
                .value("x")
                .value(2);
        json.beginObject()
                .endObject()
                .endList()
                .key("c")
                .beginList()
                .endList()
                .member("d", true)
                .endObject();
        assertThat(json.toString()).isEqualTo("""
                        {
                            "a": 1,
                            "b": [
                                "x",
                                2,
                                {
                                }
                            ],
                            "c": [
                            ],
                            "d": true
                        }
                        """);
    }

    @Test
    void escapesEverythingOutsidePrintableAscii() {
        StringBuilder text = new StringBuilder();
        JsonWriter.appendQuoted(text, "a\"\\\b\f\n\r\t\u0001\u007fä€\ud83d\ude00/");
        assertThat(text.toString())
                .isEqualTo("\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007F\\u00E4\\u20AC\\uD83D\\uDE00/\"");
    }

    @Test
    void showsBytesThatWereNoTextAsTheReplacementCharacter() {
        StringBuilder text = new StringBuilder();
        JsonWriter.appendQuoted(text, "x\udc80y");
        assertThat(text.toString()).isEqualTo("\"x\\uFFFDy\"");
    }

    @Test
    void readsBackAsWhatWasWritten() {
        String odd = "quote \" and \u0000 and \ud83d\ude00";
        String json = new JsonWriter()
                .beginObject()
                .member("k", odd)
                .member("f", 1.5)
                .endObject()
                .toString();
        JsonNode read = JsonMapper.builder().build().readTree(json);
        assertThat(read.get("k").stringValue()).isEqualTo(odd);
        assertThat(read.get("f").doubleValue()).isEqualTo(1.5);
    }
}
