"""ISO 15118-20, the failed answers that need nothing of a session: mandatory elements only, and no secrets.
[V2G20-736]"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from exi.messages.iso15118_20.common import (
    Authorization,
    AuthorizationReq,
    AuthorizationRes,
    AuthorizationSetupReq,
    AuthorizationSetupRes,
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationRes,
    ContractCertificateChain,
    ECDHCurve,
    EIM_ASResAuthorizationMode,
    MeteringConfirmationReq,
    MeteringConfirmationRes,
    Parameter,
    ParameterSet,
    PowerDeliveryReq,
    PowerDeliveryRes,
    ServiceDetailReq,
    ServiceDetailRes,
    ServiceParameterList,
    ServiceSelectionReq,
    ServiceSelectionRes,
    SessionStopReq,
    SessionStopRes,
    SignedInstallationData,
    SubCertificates,
    VehicleCheckInReq,
    VehicleCheckInRes,
)
from exi.messages.iso15118_20.types import Processing
from hlc.rules import Kind

NO_SETS: Final = ServiceParameterList(
    ParameterSet=[ParameterSet(ParameterSetID=0, Parameter=[Parameter(Name="-", intValue=0)])]
)
NO_CONTRACT: Final = SignedInstallationData(
    Id="id",
    ContractCertificateChain=ContractCertificateChain(
        Certificate=b"", SubCertificates=SubCertificates(Certificate=[b""])
    ),
    ECDHCurve=ECDHCurve.SECP521,
    DHPublicKey=bytes(133),
    SECP521_EncryptedPrivateKey=bytes(94),
)

REFUSALS: Final[Mapping[Kind, Callable[..., Any]]] = {
    AuthorizationSetupReq: partial(
        AuthorizationSetupRes,
        AuthorizationServices=[Authorization.EIM],
        CertificateInstallationService=False,
        EIM_ASResAuthorizationMode=EIM_ASResAuthorizationMode(),
    ),
    AuthorizationReq: partial(AuthorizationRes, EVSEProcessing=Processing.Finished),
    ServiceDetailReq: partial(ServiceDetailRes, ServiceID=0, ServiceParameterList=NO_SETS),
    ServiceSelectionReq: ServiceSelectionRes,
    PowerDeliveryReq: PowerDeliveryRes,
    MeteringConfirmationReq: MeteringConfirmationRes,
    SessionStopReq: SessionStopRes,
    CertificateInstallationReq: partial(
        CertificateInstallationRes,
        EVSEProcessing=Processing.Finished,
        CPSCertificateChain=CertificateChain(Certificate=b""),
        SignedInstallationData=NO_CONTRACT,
        RemainingContractCertificateChains=0,
    ),
    VehicleCheckInReq: VehicleCheckInRes,
}
"""By request; what is called takes Header and ResponseCode."""
