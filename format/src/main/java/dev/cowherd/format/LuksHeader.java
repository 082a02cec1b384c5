package dev.cowherd.format;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What the header of a disk encrypted with LUKS says of the encryption (specification: Full disk encryption header pointer;
 * LUKS On-Disk Format, version 1). The key itself is no part of it: nothing here is secret.
 *
 * <table>
 * <caption>On disk, big-endian</caption>
 * <tr><th>bytes</th><th>meaning</th></tr>
 * <tr><td>0–5</td><td>magic {@code LUKS 0xba 0xbe}</td></tr>
 * <tr><td>6–7</td><td>version, 1</td></tr>
 * <tr><td>8–39, 40–71, 72–103</td><td>names of cipher, mode and hash, each filled up with zeros</td></tr>
 * <tr><td>104–107</td><td>where the payload begins, in sectors of 512 bytes</td></tr>
 * <tr><td>108–111</td><td>length of the master key in bytes</td></tr>
 * <tr><td>112–163</td><td>digest of the master key, and its salt</td></tr>
 * <tr><td>164–167</td><td>iterations for that digest</td></tr>
 * <tr><td>168–207</td><td>UUID as text</td></tr>
 * <tr><td>208–591</td><td>eight key slots of 48 bytes: state, iterations, salt of 32 bytes, sector of the key material, stripes</td></tr>
 * </table>
 *
 * @param cipher the cipher's name, such as {@code aes}
 * @param mode its mode and how initial vectors are made, such as {@code xts-plain64} or {@code cbc-essiv:sha256}
 * @param hash the hash's name, such as {@code sha256}
 * @param payloadOffset where the payload begins, in bytes from the header's start
 * @param keyBytes length of the master key in bytes
 * @param masterKeyIterations iterations for the digest of the master key
 * @param uuid the UUID as text
 * @param slots the eight key slots
 */
public record LuksHeader(
        String cipher,
        String mode,
        String hash,
        long payloadOffset,
        int keyBytes,
        long masterKeyIterations,
        String uuid,
        List<Slot> slots) {
    /** Bytes of the header before the key material. */
    public static final int BYTES = 592;

    private static final String STRUCTURE = "LUKS header";
    private static final byte[] MAGIC = {'L', 'U', 'K', 'S', (byte) 0xba, (byte) 0xbe};
    private static final int NAME_BYTES = 32;
    private static final int UUID_BYTES = 40;
    private static final int SLOTS = 8;
    private static final int SALT_BYTES = 32;
    private static final int ACTIVE = 0x00ac_71f3;
    private static final int INACTIVE = 0x0000_dead;
    private static final int MAX_KEY_BYTES = 512;
    private static final long SECTOR_BYTES = 512;

    /**
     * One way to the master key.
     *
     * @param active whether it is in use
     * @param iterations for the key of its password
     * @param keyOffset where its key material begins, in bytes from the header's start
     * @param stripes how often its key material is split
     */
    public record Slot(boolean active, long iterations, long keyOffset, long stripes) {}

    /**
     * Decodes the header.
     *
     * @param bytes from its first byte on
     * @param offset where that is in the image, for the error
     * @return the header
     * @throws CorruptImageException if it is cut off, or is no such header
     * @throws UnsupportedImageException if its version is not 1
     */
    public static LuksHeader decode(ByteBuffer bytes, long offset)
            throws CorruptImageException, UnsupportedImageException {
        ByteBuffer at = bytes.slice();
        if (at.remaining() < BYTES) {
            throw new CorruptImageException(STRUCTURE, offset, "the file ends within its " + BYTES + " bytes");
        }
        byte[] magic = new byte[MAGIC.length];
        at.get(magic);
        if (!Arrays.equals(magic, MAGIC)) {
            throw new CorruptImageException(STRUCTURE, offset, "has no LUKS magic");
        }
        int version = Short.toUnsignedInt(at.getShort());
        if (version != 1) {
            throw new UnsupportedImageException(STRUCTURE, offset, "LUKS version " + version + " is not supported");
        }
        String cipher = name(at, NAME_BYTES, offset);
        String mode = name(at, NAME_BYTES, offset);
        String hash = name(at, NAME_BYTES, offset);
        long payloadOffset = sectors(at);
        int keyBytes = at.getInt();
        if (keyBytes < 1 || keyBytes > MAX_KEY_BYTES) {
            throw new CorruptImageException(
                    STRUCTURE, offset + 108, "a key of " + Integer.toUnsignedString(keyBytes) + " bytes");
        }
        at.position(164);
        long iterations = Integer.toUnsignedLong(at.getInt());
        String uuid = name(at, UUID_BYTES, offset);
        List<Slot> slots = new ArrayList<>(SLOTS);
        for (int i = 0; i < SLOTS; i++) {
            slots.add(slot(at, i, offset));
        }
        return new LuksHeader(cipher, mode, hash, payloadOffset, keyBytes, iterations, uuid, List.copyOf(slots));
    }

    private static Slot slot(ByteBuffer at, int index, long offset) throws CorruptImageException {
        int state = at.getInt();
        if (state != ACTIVE && state != INACTIVE) {
            throw new CorruptImageException(
                    STRUCTURE,
                    offset,
                    "key slot " + index + " is in the unknown state 0x" + Integer.toHexString(state));
        }
        long iterations = Integer.toUnsignedLong(at.getInt());
        at.position(at.position() + SALT_BYTES);
        return new Slot(state == ACTIVE, iterations, sectors(at), Integer.toUnsignedLong(at.getInt()));
    }

    private static long sectors(ByteBuffer at) {
        return Integer.toUnsignedLong(at.getInt()) * SECTOR_BYTES;
    }

    /** Visible ASCII up to the first zero: it is shown to people, and no such name holds anything else. */
    private static String name(ByteBuffer at, int bytes, long offset) throws CorruptImageException {
        byte[] name = new byte[bytes];
        at.get(name);
        int length = 0;
        while (length < bytes && name[length] != 0) {
            if (name[length] <= ' ' || name[length] > '~') {
                throw new CorruptImageException(STRUCTURE, offset, "a name in it is no visible ASCII text");
            }
            length++;
        }
        return new String(name, 0, length, StandardCharsets.US_ASCII);
    }

    /**
     * The cipher as QEMU names it, with the bits of its key.
     *
     * @return such as {@code aes-256}
     */
    public String cipherAlgorithm() {
        if (cipher.equals("sm4")) {
            return cipher;
        }
        // XTS takes two keys, one for the data and one for the tweak.
        int cipherKeyBytes = cipherMode().equals("xts") ? keyBytes / 2 : keyBytes;
        return cipher + "-" + cipherKeyBytes * Byte.SIZE;
    }

    /**
     * The mode of the cipher alone.
     *
     * @return such as {@code xts}
     */
    public String cipherMode() {
        int dash = mode.indexOf('-');
        return dash < 0 ? mode : mode.substring(0, dash);
    }

    /**
     * How initial vectors are made.
     *
     * @return such as {@code plain64}; empty if the header does not say
     */
    public String ivGenerator() {
        String generator = mode.substring(Math.min(mode.length(), cipherMode().length() + 1));
        int colon = generator.indexOf(':');
        return colon < 0 ? generator : generator.substring(0, colon);
    }

    /**
     * The hash that initial vectors are made with.
     *
     * @return such as {@code sha256}; empty if none is
     */
    public String ivHash() {
        return mode.substring(mode.indexOf(':') < 0 ? mode.length() : mode.indexOf(':') + 1);
    }
}
