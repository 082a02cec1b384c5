package dev.cowherd.cli;

import dev.cowherd.format.LuksHeader;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The object {@code encrypt} of {@code info --output=json}, keys in the order of QEMU (which is that of its hash table). */
final class EncryptionJson {
    private EncryptionJson() {}

    /** Without a LUKS header the image has QEMU's old AES encryption, of which there is nothing more to say. */
    static void write(JsonWriter json, @Nullable LuksHeader luks, boolean compat7) {
        json.key("encrypt").beginObject();
        if (luks == null) {
            json.member("format", "aes").endObject();
            return;
        }
        json.member("ivgen-alg", luks.ivGenerator());
        if (!compat7) {
            json.member("detached-header", false);
        }
        json.member("hash-alg", luks.hash());
        json.member("cipher-alg", luks.cipherAlgorithm());
        json.member("uuid", luks.uuid());
        if (!luks.ivHash().isEmpty()) {
            json.member("ivgen-hash-alg", luks.ivHash());
        }
        json.member("format", "luks");
        json.member("cipher-mode", luks.cipherMode());
        json.key("slots").beginList();
        List<LuksHeader.Slot> slots = luks.slots();
        for (int i = 0; i < slots.size(); i++) {
            slot(json, slots.get(i));
        }
        json.endList();
        json.member("payload-offset", luks.payloadOffset());
        json.member("master-key-iters", luks.masterKeyIterations());
        json.endObject();
    }

    private static void slot(JsonWriter json, LuksHeader.Slot slot) {
        json.beginObject().member("active", slot.active());
        if (slot.active()) {
            json.member("iters", slot.iterations());
        }
        json.member("key-offset", slot.keyOffset());
        if (slot.active()) {
            json.member("stripes", slot.stripes());
        }
        json.endObject();
    }
}
