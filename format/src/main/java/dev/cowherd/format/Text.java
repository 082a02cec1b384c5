package dev.cowherd.format;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Turns the strings of an image into Java's and back without changing a byte. */
final class Text {
    /** A byte that is no UTF-8 becomes this plus its value: a lone low surrogate, which valid UTF-8 never gives. */
    private static final char ESCAPE = 0xdc00;

    private Text() {}

    /** The name of a file: valid UTF-8 without NUL, or the image is refused. */
    static String fileName(ByteBuffer bytes, String structure, long offset) throws ImageFormatException {
        for (int i = bytes.position(); i < bytes.limit(); i++) {
            if (bytes.get(i) == 0) {
                throw new CorruptImageException(
                        structure, offset, "the name has a NUL at byte " + (i - bytes.position()));
            }
        }
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
        } catch (CharacterCodingException e) {
            UnsupportedImageException refused =
                    new UnsupportedImageException(structure, offset, "the name is not valid UTF-8");
            refused.initCause(e);
            throw refused;
        }
    }

    /** A label for people: any bytes; those that are no UTF-8 survive the way back through {@link #encode}. */
    static String label(ByteBuffer bytes) {
        CharsetDecoder decoder = StandardCharsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT);
        CharBuffer out = CharBuffer.allocate(bytes.remaining());
        while (true) {
            CoderResult result = decoder.decode(bytes, out, true);
            if (result.isUnderflow()) {
                return out.flip().toString();
            }
            for (int i = 0; i < result.length(); i++) {
                out.put((char) (ESCAPE + (bytes.get() & 0xff)));
            }
            decoder.reset();
        }
    }

    /** The text without anything that ends a line or steers a terminal: what a stranger's image says goes into messages. */
    static String oneLine(String text) {
        StringBuilder line = new StringBuilder(text);
        for (int i = 0; i < line.length(); i++) {
            if (Character.isISOControl(line.charAt(i))) {
                line.setCharAt(i, '?');
            }
        }
        return line.toString();
    }

    /** The bytes that {@link #fileName} or {@link #label} made the string from. */
    static byte[] encode(String text) {
        if (text.codePoints().noneMatch(Text::isEscaped)) {
            return text.getBytes(StandardCharsets.UTF_8);
        }
        ByteBuffer out = ByteBuffer.allocate(3 * text.length());
        int i = 0;
        while (i < text.length()) {
            int point = text.codePointAt(i);
            if (isEscaped(point)) {
                out.put((byte) point);
            } else {
                out.put(Character.toString(point).getBytes(StandardCharsets.UTF_8));
            }
            i += Character.charCount(point);
        }
        byte[] bytes = new byte[out.position()];
        out.flip().get(bytes);
        return bytes;
    }

    private static boolean isEscaped(int point) {
        return point >= ESCAPE + 0x80 && point <= ESCAPE + 0xff;
    }
}
