import { Crypto } from "@felhom/domain/port/Crypto";
import { Layer } from "effect";
/** Hashes that need no Node, and randomness that is a counter. */
export declare const counting: typeof Crypto.Service;
export declare const testCrypto: Layer.Layer<Crypto>;
